"""What the live page is told: a sample a second, and who moved on the map. Runs on the event loop only."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec
from faust.types import TP

from models.quality.evaluation import RANKERS
from stream.flow.engine import Engine
from stream.flow.ledger import TopicLedger
from stream.status import WorkerStatus
from stream.web.history import Alarm, History, Quality, Sample, TopicFlow
from stream.web.interest_map import ItemsInSight, items_in_sight, moves, place_items, users_in_sight
from stream.web.projection import Projection
from stream.web.view import NotReadyError, WorkerView

SAMPLE_EVERY_S = 1.0
ITEMS_EVERY = 5  # samples: items move slowly
MIN_PREDICTIONS = 20  # fewer say nothing
BEHIND = 16  # events a watcher may be behind; then it misses some


class LiveFeed:
    """Samples the worker and tells everyone who watches; the map is made only while somebody does.

    Args:
        view: of the worker.

    Attributes:
        history: the samples so far.
        projection: of the map; None before there is enough to show.
    """

    def __init__(self, view: WorkerView) -> None:
        self._view = view
        self.history = History()
        self.projection: Projection | None = None
        self._watchers: set[asyncio.Queue[bytes]] = set()
        self._alarms: list[Alarm] = []
        self._panel: list[str] = []
        self._items: ItemsInSight | None = None
        self._items_event = b""
        self._num_looks = 0
        self._num_drift_alarms: int | None = None
        self._before: tuple[float, dict[str, TopicLedger]] | None = None

    async def run(self) -> None:
        """Sample for ever."""
        while True:
            began_s = time.monotonic()
            self.sample()
            if self._watchers:
                await self._look()
            await asyncio.sleep(max(0.1, SAMPLE_EVERY_S - (time.monotonic() - began_s)))

    def sample(self) -> None:
        """Note where the worker stands, and tell it."""
        sample = self._take()
        self.history.add(sample)
        self._tell(server_sent("sample", sample))

    def mark(self, alarm: Alarm) -> None:
        """Let the next sample carry a mark on the axis of time."""
        self._alarms.append(alarm)

    @contextmanager
    def watch(self) -> Iterator[asyncio.Queue[bytes]]:
        """Server-sent events as they come, ready to be written."""
        events: asyncio.Queue[bytes] = asyncio.Queue(BEHIND)
        if self._items_event:
            events.put_nowait(self._items_event)
        self._watchers.add(events)
        try:
            yield events
        finally:
            self._watchers.discard(events)

    def _tell(self, event: bytes) -> None:
        for events in self._watchers:
            if events.full():
                events.get_nowait()
            events.put_nowait(event)

    def _take(self) -> Sample:
        status, engine, now_s = self._view.status(), self._view.engine, time.time()
        self._mark_drift(engine, int(now_s * 1000))
        alarms, self._alarms = self._alarms, []
        if engine is None:
            return Sample(int(now_s * 1000), status.state, alarms=alarms)
        sample = sample_of(status, engine, self._flows(engine, time.monotonic()), int(now_s * 1000))
        age_s, learning_rate = self._view.condition().checkpoint_age_s, self._view.settings.learning_rate
        return msgspec.structs.replace(sample, checkpoint_age_s=age_s, learning_rate=learning_rate, alarms=alarms)

    def _mark_drift(self, engine: Engine | None, at_ms: int) -> None:
        if engine is None:
            return
        num_alarms = engine.learner.drift.num_alarms
        if self._num_drift_alarms is not None and num_alarms > self._num_drift_alarms:
            self.mark(Alarm(at_ms, "the stream has changed: the loss rose beyond noise"))
        self._num_drift_alarms = num_alarms

    def _flows(self, engine: Engine, now_s: float) -> dict[str, TopicFlow]:
        topics = self._view.settings.input_topics
        lags = self._view.lags()
        ledger = {topic: engine.updater.ledger.get(topic, TopicLedger()) for topic in topics}
        then_s, before = self._before or (now_s, ledger)
        self._before = now_s, ledger
        flows = {}
        for topic, entry in ledger.items():
            gained = entry.records - before[topic].records
            rate = gained / (now_s - then_s) if now_s > then_s else 0.0
            flows[topic] = TopicFlow(entry.records, round(rate, 1), _lag_of(topic, lags))
        return flows

    async def _look(self) -> None:
        """Tell where users are, and now and then where items are."""
        try:
            if self._num_looks % ITEMS_EVERY == 0:
                await self._look_at_items()
            sighting = await self._view.ask(lambda engine: users_in_sight(engine, self._panel))
        except NotReadyError:
            return
        self._num_looks += 1
        self._panel = sighting.user_ids
        if self._items is not None:
            self._tell(server_sent("moves", moves(sighting, self._items, self.projection)))

    async def _look_at_items(self) -> None:
        self._items = await self._view.ask(items_in_sight)
        ids, vectors = self._items.item_ids, self._items.vectors
        self.projection = await asyncio.to_thread(Projection.fit, ids, vectors, self.projection)
        if self.projection is not None:
            self._items_event = server_sent("items", place_items(self._items, self.projection))
            self._tell(self._items_event)


def _lag_of(topic: str, lags: Mapping[TP, int]) -> int | None:
    return sum(lag for tp, lag in lags.items() if tp.topic == topic) if lags else None


def sample_of(status: WorkerStatus, engine: Engine, topics: dict[str, TopicFlow], at_ms: int) -> Sample:
    """The worker at one moment; reads counts of the engine that any thread may read."""
    recent = engine.learner.prequential.recent
    is_scored = recent.num_predictions >= MIN_PREDICTIONS
    return Sample(
        at_ms,
        status.state,
        topics,
        {r: Quality(round(recent.recall(r, 20), 4), round(recent.mrr(r, 20), 4)) for r in RANKERS if is_scored},
        events=status.events,
        users=engine.updater.num_users,
        items=len(engine.learner.items),
        latency_p50_ms=status.latency_p50_ms,
        latency_p99_ms=status.latency_p99_ms,
        loss=status.loss,
        step_ms=status.step_ms,
        model_step=status.model_step,
        updates=status.updates,
        refused=status.refused,
    )


def server_sent(name: str, value: object) -> bytes:
    """One event of a stream of server-sent events."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(value))
