"""`/metrics`: what Prometheus scrapes, read from the worker at that moment without waiting for its model thread."""

from collections.abc import Iterator

import numpy as np
from aiohttp import web

from models.device import runtime
from models.quality.evaluation import RANKERS, RankHistogram
from stream.flow.engine import Engine
from stream.flow.ledger import TopicLedger
from stream.metrics import Reading
from stream.web.health import judge_readiness
from stream.web.view import WorkerView

TOP = 20  # the k of recall and MRR


def routes(view: WorkerView) -> list[web.RouteDef]:
    """The one page."""
    view.meters.read_from(lambda: readings(view))

    async def metrics(request: web.Request) -> web.Response:
        body, content_type = view.meters.exposition(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    return [web.get("/metrics", metrics)]


def readings(view: WorkerView) -> Iterator[Reading]:
    """All counters and gauges that no instrument keeps."""
    status, condition, settings = view.status(), view.condition(), view.settings
    yield Reading("ready", judge_readiness(condition, status.state).ready)
    yield Reading("standby", status.state == "standby")
    if condition.is_compiled:  # before, asking for the device could take seconds
        yield Reading("worker_info", 1, (settings.app_id, runtime.device_name(), settings.encoder, str(settings.dim)))
        if (num_bytes := runtime.device_memory_bytes()) is not None:
            yield Reading("device_memory_bytes", num_bytes)
    if condition.checkpoint_age_s is not None:
        yield Reading("checkpoint_age_seconds", condition.checkpoint_age_s)
    for tp, lag in view.lags().items():
        yield Reading("lag_records", lag, (tp.topic, str(tp.partition)))
    yield Reading("updates_total", status.updates)
    yield Reading("queue_records", status.queued)
    if view.engine is not None:
        yield from _of_engine(view.engine)


def _of_engine(engine: Engine) -> Iterator[Reading]:
    for topic, entry in dict(engine.updater.ledger).items():
        yield from _of_topic(topic, entry)
    learner, teacher = engine.learner, engine.teacher
    yield Reading("pending_examples", learner.num_pending)
    yield Reading("learned_total", teacher.num_learned)
    yield Reading("left_out_total", teacher.num_left_out)
    yield Reading("learn_ratio", teacher.learn_ratio)
    yield Reading("replayed_total", teacher.num_replayed)
    yield Reading("replay_ratio", teacher.num_replayed / max(teacher.num_learned, 1))
    yield Reading("model_steps_total", learner.model_step)
    yield Reading("recompilations_total", engine.recompiles)
    for name, loss in (("loss", teacher.last_loss), ("gate_loss", teacher.last_gate_loss)):
        if loss is not None:
            yield Reading(name, loss)
    yield from _of_quality(learner.prequential.recent)
    yield Reading("scored_total", learner.prequential.total.num_predictions)
    yield Reading("drift_alarms_total", learner.drift.num_alarms)
    yield Reading("users", engine.updater.num_users)
    yield Reading("items", len(learner.items))


def _of_topic(topic: str, entry: TopicLedger) -> Iterator[Reading]:
    yield Reading("records_total", entry.records, (topic,))
    yield Reading("events_total", entry.admitted, (topic,))
    yield Reading("dead_letters_total", entry.refused, (topic,))
    yield Reading("duplicates_total", entry.duplicates, (topic,))
    yield Reading("late_total", entry.late, (topic,))
    yield Reading("erased_total", entry.erased, (topic,))
    yield Reading("floods_total", entry.floods, (topic,))


def _of_quality(recent: RankHistogram) -> Iterator[Reading]:
    """By ranker; none before the first prediction."""
    scores = RankHistogram()
    scores.counts = np.array(recent.counts)  # the model thread goes on counting
    if not scores.num_predictions:
        return
    for ranker in RANKERS:
        yield Reading("recall_at_20", scores.recall(ranker, TOP), (ranker,))
        yield Reading("mrr_at_20", scores.mrr(ranker, TOP), (ranker,))
