"""The Faust app of a worker: transport, agents, engine and flow joined together.

`faust -A stream.app worker` finds `app` here, built from the environment and the settings file when it is asked for.
"""

import asyncio
import logging
import time
from pathlib import Path
from typing import Any, cast

import faust
from faust.types import TP

from checkpoints.lock import DirectoryInUseError, DirectoryLock
from checkpoints.store import CheckpointStore
from models import runtime
from stream.broker.positions import Positions
from stream.broker.publisher import Publisher
from stream.broker.topics import check_topics
from stream.broker.transport import BatchConsumer
from stream.errors import ConfigError
from stream.flow.agents import BatchAgents
from stream.flow.engine import Engine, admission_policy, next_offsets
from stream.flow.intake import Intake
from stream.flow.loop import Flow, FlowPolicy
from stream.settings import Settings
from stream.status import WorkerState, WorkerStatus

BUFFERED_BATCHES = 4  # partition batches between fetch and agent, for each agent; the intake holds the rest


logger = logging.getLogger(__name__)


class InterestApp(faust.App):
    """A worker: restores and compiles before it joins its group, saves and commits before it leaves.

    Attributes:
        positions: where to read on; the transport asks for it.
        fetch_max_wait_ms: how long the broker holds an empty fetch back; the transport asks for it.
        state_name: what the worker is doing, for its status.
    """

    def __init__(self, settings: Settings, **options: Any) -> None:
        self.positions = Positions()
        self.fetch_max_wait_ms = settings.fetch_max_wait_ms
        self.state_name: WorkerState = "compiling"
        self._settings = settings
        self._intake = Intake(settings.queue_events, self.positions)
        self._lock: DirectoryLock | None = None
        self._flow: Flow | None = None
        self._engine: Engine | None = None
        self._publisher: Publisher | None = None
        self._running: asyncio.Task[None] | None = None
        super().__init__(settings.app_id, **options)
        agents = BatchAgents(self, self._intake, self.positions, admission_policy(settings))
        for topic, kind in settings.kind_of_topic.items():
            agents.register(topic, kind)
        self.on_partitions_revoked.connect(self._drop_revoked)  # type: ignore[arg-type]  # typed by name only
        self.on_partitions_assigned.connect(self._note_assigned)  # type: ignore[arg-type]

    async def prepare(self) -> None:
        """Own the checkpoints, restore, compile and connect. Called once, by Faust or, for clear errors, before it.

        Raises:
            ConfigError: topics, checkpoints directory or saved state are not as they must be.
        """
        settings = self._settings
        self._lock = own(settings.checkpoint_dir)
        if settings.topic_check:
            await asyncio.to_thread(check_topics, settings)
        store = CheckpointStore(settings.checkpoint_dir, settings.checkpoints_kept)
        self._engine = Engine(settings, self._lock.incarnation)
        self._publisher = Publisher({"bootstrap_servers": settings.broker.split(",")})
        self._flow = Flow(flow_policy(settings), self._engine, self._intake, self._publisher, store)
        await self._flow.on_model_thread(self._restore_and_compile, self._engine, store)
        await self._publisher.start()

    async def on_first_start(self) -> None:
        """Have everything ready; only then does Faust start the consumer."""
        await super().on_first_start()
        if self._flow is None:
            await self.prepare()
        if self._flow is not None:
            self._running = asyncio.create_task(self._flow.run(cast(BatchConsumer, self.consumer)), name="flow")
            self._running.add_done_callback(self._flow_ended)
        self.state_name = "joining"

    async def on_stop(self) -> None:
        """Finish the micro-batch, save, commit; then let Faust leave the group."""
        self.state_name = "stopped"
        if self._flow is not None and self._running is not None and not _failed(self._running):
            await self._flow.finish(self._running)
        await super().on_stop()
        if self._publisher is not None:
            await self._publisher.stop()
        if self._flow is not None:
            self._flow.close()
        if self._lock is not None:
            self._lock.release()

    def status(self) -> WorkerStatus:
        """Where the worker stands now."""
        if self._engine is None or self._flow is None:
            return WorkerStatus(self.state_name)
        return self._engine.status(self.state_name, queued=self._intake.num_records, updates=self._flow.num_updates)

    def _restore_and_compile(self, engine: Engine, store: CheckpointStore) -> None:
        number = store.latest()
        if number is not None:
            manifest = store.manifest(number)
            engine.restore(store.state(number), manifest)
            self.positions.start_at(next_offsets(manifest))
            logger.info("restored checkpoint %d: model step %d", number, manifest.model_step)
        began = time.monotonic()
        engine.prepare()
        logger.info("compiled for %s in %.1f s", runtime.device_name(), time.monotonic() - began)

    async def _drop_revoked(self, _: Any, revoked: set[TP], **__: Any) -> None:
        self._intake.drop(revoked)

    async def _note_assigned(self, _: Any, assigned: set[TP], **__: Any) -> None:
        self.state_name = "running" if assigned else "joining"

    def _flow_ended(self, running: "asyncio.Task[None]") -> None:
        """A flow that fails takes the worker down: a supervisor restarts it from the last checkpoint."""
        if not running.cancelled() and (error := running.exception()):
            logger.error("the flow ended: %r", error, exc_info=error)
            self._crash(error)


def build_app(settings: Settings) -> InterestApp:
    """The Faust app of a worker with these settings; touches no broker and no checkpoint until it is started."""
    runtime.configure(preallocate=settings.gpu_preallocate, compilation_cache=settings.compilation_cache)
    return InterestApp(
        settings,
        broker=[f"batch://{address}" for address in settings.broker.split(",")],
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
        web_enabled=False,
        worker_redirect_stdouts=False,
    )


def own(checkpoint_dir: Path) -> DirectoryLock:
    """Take the checkpoints directory for this process.

    Raises:
        ConfigError: another process has it, or it cannot be written.
    """
    try:
        return DirectoryLock(checkpoint_dir)
    except DirectoryInUseError:
        raise ConfigError(
            f"another worker uses the checkpoints in {checkpoint_dir}; stop it, or set another checkpoint_dir"
        ) from None
    except OSError as error:
        raise ConfigError(f"checkpoint_dir={checkpoint_dir} cannot be used: {error}") from None


def flow_policy(settings: Settings) -> FlowPolicy:
    """The flow's slice of the settings."""
    return FlowPolicy(
        micro_batch_size=settings.micro_batch_size,
        learn_batch_size=settings.learn_batch_size,
        replay_ratio=settings.replay_ratio,
        learn_after_s=settings.learn_after_ms / 1000,
        item_vector_interval_s=settings.item_vector_interval_ms / 1000,
        checkpoint_interval_s=settings.checkpoint_interval_s,
        updates_topic=settings.updates,
        item_vectors_topic=settings.item_vectors,
        dead_letters_topic=settings.dead_letters,
    )


def _failed(task: "asyncio.Task[None]") -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def __getattr__(name: str) -> Any:
    """Build `app` when Faust's command line asks for it; importing this module does nothing."""
    if name == "app":
        return build_app(Settings.load())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
