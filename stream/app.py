"""The Faust app of a worker: transport, agents, engine and flow joined together.

`faust -A stream.app worker` finds `app` here, built from the environment and the settings file when it is asked for.
"""

import asyncio
import logging
import math
import os
import time
from pathlib import Path
from typing import Any, cast

import faust
import msgspec
from faust.app import BootStrategy
from faust.tables import TableManager
from faust.types import TP

from checkpoints.lease import DirectoryLease
from checkpoints.store import CheckpointStore
from models.device import runtime
from stream.broker.log_ends import read_log_ends
from stream.broker.positions import Positions
from stream.broker.publisher import Publisher
from stream.broker.security import Security
from stream.broker.topics import check_topics
from stream.broker.transport import BatchConsumer
from stream.endings import (
    EXIT_ENDED_ITSELF,
    FINISHES_WITHIN_S,
    end_cleanly,
    end_soon,
    end_stalled,
    end_taken_over,
    end_unfinished,
)
from stream.errors import ConfigError, InterestStreamError
from stream.flow.agents import BatchAgents
from stream.flow.engine import Engine
from stream.flow.intake import Intake
from stream.flow.loop import Flow, FlowPolicy
from stream.flow.model_thread import ModelThread
from stream.flow.slices import admission_policy
from stream.flow.start_checks import check_partitions, starting_offsets
from stream.flow.watchdog import LagMeter, Watchdog, watch
from stream.logs import log_config
from stream.metrics import Meters
from stream.ownership import Ownership
from stream.settings import Settings
from stream.status import WorkerState, WorkerStatus
from stream.web.feed import LiveFeed
from stream.web.routes import all_routes
from stream.web.server import WebPolicy, WebServer
from stream.web.view import Condition, WorkerView

BUFFERED_BATCHES = 4  # partition batches between fetch and agent, for each agent; the intake holds the rest

logger = logging.getLogger(__name__)


class _Boot(BootStrategy):
    """Without Faust's own server, which `faust worker` turns on: open to other machines, and on our port."""

    enable_web = False


class _NoTables(TableManager):
    """Starts at once: Faust's waits a second for tables that are declared late, and here there are none."""

    async def on_start(self) -> None:
        """Let the consumer subscribe."""
        await self._update_channels()
        await self.recovery.start()


class InterestApp(faust.App):
    """A worker: restores and compiles before it joins its group, saves and commits before it leaves.

    Attributes:
        positions: where to read on; the transport asks for it.
        fetch_max_wait_ms: how long the broker holds an empty fetch back; the transport asks for it.
        state_name: what the worker is doing, for its status.
    """

    BootStrategy = _Boot

    def __init__(self, settings: Settings, **options: Any) -> None:
        self.positions = Positions()
        self.fetch_max_wait_ms = settings.fetch_max_wait_ms
        self.state_name: WorkerState = "compiling"
        self._settings = settings
        self._intake = Intake(settings.queue_events, self.positions)
        self._lease: DirectoryLease | None = None
        self._model_thread = ModelThread()
        self._flow: Flow | None = None
        self._engine: Engine | None = None
        self._publisher: Publisher | None = None
        self._running: asyncio.Task[None] | None = None
        self._is_ending = False
        self._meter: LagMeter | None = None
        self._watchdog: Watchdog | None = None
        self._watching: asyncio.Task[None] | None = None
        self._is_compiled = False
        self._failure = ""
        self._meters = Meters()
        self._view = WorkerView(
            settings,
            status=self.status,
            condition=self._condition,
            lags=lambda: self._meter.lags if self._meter is not None else {},
            meters=self._meters,
        )
        self._feed = LiveFeed(self._view)
        self._feeding: asyncio.Task[None] | None = None
        self._web = WebServer(WebPolicy.of(settings), all_routes(self._view, self._feed)) if settings.web_port else None
        super().__init__(settings.app_id, **options)
        agents = BatchAgents(self, self._intake, self.positions, admission_policy(settings))
        for topic, kind in settings.kind_of_topic.items():
            agents.register(topic, kind)
        agents.register_erasures(settings.erasures)
        self.on_partitions_revoked.connect(self._drop_revoked)  # type: ignore[arg-type]  # typed by name only
        self.on_partitions_assigned.connect(self._note_assigned)  # type: ignore[arg-type]

    async def prepare(self) -> None:
        """Compile, own the checkpoints, restore and connect. Called once, by Faust or, for clear errors, before it.

        Returns only as the owner of the checkpoints, or when the app is told to stop.

        Raises:
            ConfigError: topics, checkpoints directory or saved state are not as they must be.
        """
        settings = self._settings
        if self._web is not None:
            await self._web.start()  # first, so that the probes answer while this one compiles or stands by
            self._feeding = asyncio.create_task(self._feed.run(), name="live feed")
            self._feeding.add_done_callback(_tell_failure)
        kept = settings.checkpoints_kept
        ownership = Ownership(settings.checkpoint_dir, settings.session_timeout_s, kept, end_taken_over)
        self._lease = ownership.take()
        if self._lease is None and not settings.standby:
            raise ConfigError(
                f"another worker uses the checkpoints in {settings.checkpoint_dir}; stop it, set another "
                "checkpoint_dir, or let this one wait with --standby"
            )
        if settings.topic_check:
            await asyncio.to_thread(check_topics, settings)
        engine = Engine(settings)
        await self._model_thread.run(_compile, engine, settings.compilation_cache)
        self._is_compiled = True
        if self._lease is None:
            self.state_name = "standby"
            self._lease = await ownership.wait(lambda: self.should_stop)
        if self._lease is not None:
            await self._begin(engine, self._lease)

    async def _begin(self, engine: Engine, lease: DirectoryLease) -> None:
        """Go on where the last owner's checkpoint ends."""
        settings = self._settings
        store = CheckpointStore(settings.checkpoint_dir, settings.checkpoints_kept, lease.renew, merges_apart=True)
        store.clear_unfinished()
        await self._model_thread.run(self._restore, engine, store)
        self.positions.start_at(await self._starting_offsets(engine))
        engine.begin(lease.incarnation)
        self._publisher = Publisher(
            _connection(settings),
            settings.app_id,
            lease.check,
            self._meters.delivery.observe,
        )
        await self._publisher.start()
        self._flow = Flow(
            FlowPolicy.of(settings),
            engine,
            self._model_thread,
            intake=self._intake,
            publisher=self._publisher,
            store=store,
            confirm_ownership=lease.renew,
            meters=self._meters,
        )
        self._engine = engine
        self._view.open(engine)

    def _create_directories(self) -> None:
        """Faust keeps nothing here, and makes no folder where the worker was started."""

    async def on_first_start(self) -> None:
        """Have everything ready; only then does Faust start the consumer."""
        await super().on_first_start()
        if self._flow is None:
            await self.prepare()
        if self._flow is not None:
            self._running = asyncio.create_task(self._flow.run(cast(BatchConsumer, self.consumer)), name="flow")
            self._running.add_done_callback(self._flow_ended)
            await self._start_watching()
        self.state_name = "joining"

    async def on_stop(self) -> None:
        """Finish the micro-batch, save, commit; then let Faust leave the group."""
        self.state_name = "stopped"
        if self._flow is not None and self._running is not None and not _failed(self._running):
            await self._finish(self._flow, self._running)
        await super().on_stop()
        if self._watching is not None:
            self._watching.cancel()
        if self._feeding is not None:
            self._feeding.cancel()
        if self._meter is not None:
            await self._meter.stop()
        if self._publisher is not None:
            await self._publisher.stop()
        if self._web is not None:
            await self._web.stop()
        self._view.close()
        self._model_thread.close()
        if self._lease is not None:
            self._lease.release()
        end_soon(EXIT_ENDED_ITSELF if self._is_ending else 0)

    async def _finish(self, flow: Flow, running: "asyncio.Task[None]") -> None:
        try:
            async with asyncio.timeout(FINISHES_WITHIN_S):
                await flow.finish(running)
        except TimeoutError:
            end_unfinished()

    def _on_rebalance_when_stopped(self) -> None:
        """Leave the connections to the last commit; Faust would close them, and the commit then waits for ever."""

    async def _start_watching(self) -> None:
        settings, engine = self._settings, self._engine
        if engine is None:
            return
        partitions = [TP(topic, p) for topic in settings.input_topics for p in range(settings.partitions)]
        self._meter = LagMeter(_connection(settings), partitions)
        await self._meter.start()
        self._watchdog = Watchdog(settings.watchdog_s or math.inf)
        watching = watch(self._watchdog, self._meter, engine.progress, end_stalled)
        self._watching = asyncio.create_task(watching, name="watchdog")

    async def on_shutdown(self) -> None:
        """The group has been left: say by the exit code that this was no stop that was asked for."""
        await super().on_shutdown()
        if self._is_ending:
            os._exit(EXIT_ENDED_ITSELF)

    def status(self) -> WorkerStatus:
        """Where the worker stands now."""
        if self._engine is None or self._flow is None:
            return WorkerStatus(self.state_name)
        counted = self._engine.status(self.state_name, queued=self._intake.num_records, updates=self._flow.num_updates)
        p50_ms, p99_ms = self._flow.latency.percentiles_ms(time.time()) or (None, None)
        return msgspec.structs.replace(counted, latency_p50_ms=p50_ms, latency_p99_ms=p99_ms)

    def _condition(self) -> Condition:
        flow = self._flow
        age_s = None if flow is None or flow.saved_at_s is None else self.loop.time() - flow.saved_at_s
        is_refused = flow is not None and flow.is_saving_refused
        return Condition(
            is_compiled=self._is_compiled,
            is_restored=self._engine is not None,
            is_assigned=self.state_name == "running",
            failed=self._failure,
            model_busy_s=self._model_thread.busy_s(),
            stalled_s=self._watchdog.stalled_s if self._watchdog is not None else 0.0,
            unsaved_s=(age_s or 0.0) if is_refused else 0.0,
            checkpoint_age_s=age_s,
        )

    async def _starting_offsets(self, engine: Engine) -> dict[TP, int]:
        settings = self._settings
        inputs = [*settings.input_topics, settings.erasures]
        log = await read_log_ends(settings.broker, inputs, Security.of(settings))
        check_partitions(log, inputs, settings.partitions)
        offsets, gaps = starting_offsets(engine.updater.next_offsets, log, accept_gap=settings.accept_gap)
        for sentence in gaps:
            logger.warning("going on with a gap, as accepted: %s", sentence)
        engine.skip_to(offsets)
        return offsets

    def _restore(self, engine: Engine, store: CheckpointStore) -> None:
        restored = store.restore()
        if restored is not None:
            engine.restore(restored.state, restored.manifest)
            logger.info("restored checkpoint %d: model step %d", restored.number, restored.manifest.model_step)

    async def _drop_revoked(self, _: Any, revoked: set[TP], **__: Any) -> None:
        self._intake.drop(revoked)
        _log_partitions("gave back", revoked)

    async def _note_assigned(self, _: Any, assigned: set[TP], **__: Any) -> None:
        self.state_name = "running" if assigned else "joining"
        _log_partitions("was given", assigned)

    def _end(self) -> None:
        """Stop as on SIGTERM, but with exit code 1. Faust's own crash shows tracebacks."""
        self._is_ending = True
        end_cleanly()

    def _flow_ended(self, running: "asyncio.Task[None]") -> None:
        """A flow that fails takes the worker down: a supervisor restarts it from the last checkpoint."""
        if not running.cancelled() and (error := running.exception()):
            is_known = isinstance(error, InterestStreamError)
            self._failure = str(error) or repr(error)
            logger.error("the flow ended: %s", error, exc_info=None if is_known else error)
            self._end()


def build_app(settings: Settings) -> InterestApp:
    """The Faust app of a worker with these settings; touches no broker and no checkpoint until it is started."""
    runtime.configure(preallocate=settings.gpu_preallocate, compilation_cache=settings.compilation_cache)
    return InterestApp(
        settings,
        broker=[f"batch://{address}" for address in settings.broker.split(",")],
        broker_credentials=Security.of(settings).faust(),
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=settings.partitions,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.session_timeout_s / 5,
        broker_max_poll_records=settings.fetch_max_records,
        stream_buffer_maxsize=BUFFERED_BATCHES,
        stream_wait_empty=False,
        store="memory://",
        TableManager=_NoTables,
        worker_redirect_stdouts=False,
        logging_config=log_config(settings),  # for `faust -A stream.app worker`, which sets up its own otherwise
    )


def _connection(settings: Settings) -> dict[str, Any]:
    return {"bootstrap_servers": settings.broker.split(","), **Security.of(settings).aiokafka()}


def _log_partitions(what: str, tps: set[TP]) -> None:
    names = sorted(f"{tp.topic}-{tp.partition}" for tp in tps)
    logger.info("%s %d partitions", what, len(names), extra={"partitions": names})


def _compile(engine: Engine, compilation_cache: Path) -> None:
    began = time.monotonic()
    engine.compile(compilation_cache)
    logger.info("compiled for %s in %.1f s", runtime.device_name(), time.monotonic() - began)


def _tell_failure(feeding: "asyncio.Task[None]") -> None:
    """The page may stand still; the events go on."""
    if not feeding.cancelled() and (error := feeding.exception()):
        logger.error("the live page stands still: %s", error, exc_info=error)


def _failed(task: "asyncio.Task[None]") -> bool:
    """Whether what it left behind may not be saved."""
    if not task.done() or task.cancelled():
        return task.done()
    error = task.exception()
    return error is not None and not isinstance(error, ConfigError)


def __getattr__(name: str) -> Any:
    """Build `app` when Faust's command line asks for it; importing this module does nothing."""
    if name == "app":
        return build_app(Settings.load())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
