"""The loop of a worker: micro-batches first, learning in between, item vectors and checkpoints by the clock."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, Self, TypeVar

from faust.types import TP

from checkpoints.manifest import Manifest
from checkpoints.store import CheckpointStore
from stream.broker.publisher import Publisher
from stream.errors import ConfigError
from stream.flow.engine import Engine, StateChanges
from stream.flow.intake import Chunk, Intake
from stream.flow.latency import RecentLatency
from stream.flow.learning import Learning, LearningPolicy
from stream.flow.manifests import next_offsets
from stream.flow.model_thread import ModelThread
from stream.flow.outcome import Outcome
from stream.flow.refusals import RefusalLimit, RefusalLog
from stream.memory import give_back, search_rarely
from stream.metrics import Meters
from stream.records.packed_records import PackedRecords
from stream.settings import Settings

SERVE_EVERY_S = 1.0  # age of the weights in answers at the most; costs a copy of the rows that moved
TAKEN_AHEAD_RATIO = 0.1  # of a checkpoint's interval, at its end: rows copied earlier would change once more
BATCH_WAIT_S = 1.0  # of a checkpoint that is due, until a batch is learned, whose rest would make it pause longer
BEHIND_RECORDS = 1_024  # that wait; answered in some 50 ms
UNDER_WAY = 2  # micro-batches of a worker that is behind: one is worked on while the device encodes the other
IDLE_WAIT_S = 0.25  # how often an idle loop looks at the clock

R = TypeVar("R")

logger = logging.getLogger(__name__)


class OffsetCommitter(Protocol):
    """What is needed of the consumer."""

    async def commit_exactly(self, next_offset_of: Mapping[TP, int]) -> bool:
        """Commit next offsets."""


@dataclass(frozen=True)
class FlowPolicy:
    """The flow's slice of the settings.

    Attributes:
        micro_batch_size: records of one micro-batch at the most.
        learning: when to learn.
        item_vector_interval_s: between two looks at what moved.
        checkpoint_interval_s: between two checkpoints.
        dead_letter_limit_ratio: share of a topic's records over a minute that may be refused.
        updates_topic: full name.
        item_vectors_topic: full name.
        dead_letters_topic: full name.
        log_ids: whether log lines may hold ids.
    """

    micro_batch_size: int
    learning: LearningPolicy
    item_vector_interval_s: float
    checkpoint_interval_s: float
    dead_letter_limit_ratio: float
    updates_topic: str
    item_vectors_topic: str
    dead_letters_topic: str
    log_ids: bool

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The slice."""
        return cls(
            micro_batch_size=settings.micro_batch_size,
            learning=LearningPolicy.of(settings),
            item_vector_interval_s=settings.item_vector_interval_ms / 1000,
            checkpoint_interval_s=settings.checkpoint_interval_s,
            dead_letter_limit_ratio=settings.dead_letter_limit_ratio,
            updates_topic=settings.updates,
            item_vectors_topic=settings.item_vectors,
            dead_letters_topic=settings.dead_letters,
            log_ids=settings.log_ids,
        )


@dataclass(frozen=True)
class _MicroBatch:
    """One that the model thread has, or will have next."""

    chunks: Sequence[Chunk]
    learns: bool
    outcome: "asyncio.Future[Outcome]"


class Flow:
    """Moves events from the intake through the engine to the publisher.

    Args:
        policy: sizes and intervals.
        engine: called on the model thread only.
        model_thread: where.
        intake: where events come from.
        publisher: where records go.
        store: where checkpoints go.
        confirm_ownership: raises where another process has taken over; asked before a checkpoint and before a commit.
        meters: the instruments.

    Attributes:
        num_updates: sent so far.
        saved_at_s: of the event loop's clock, when a complete checkpoint last held all there was; the start where there
            was none.
        is_saving_refused: whether the disk refused the last one.
    """

    def __init__(
        self,
        policy: FlowPolicy,
        engine: Engine,
        model_thread: ModelThread,
        *,
        intake: Intake,
        publisher: Publisher,
        store: CheckpointStore,
        confirm_ownership: Callable[[], None],
        meters: Meters,
    ) -> None:
        self._policy = policy
        self._engine = engine
        self._intake = intake
        self._publisher = publisher
        self._store = store
        self._confirm_ownership = confirm_ownership
        self._meters = meters
        self._model_thread = model_thread
        self._learning = Learning(policy.learning, engine.teacher, engine.learner, meters)
        self._refusals = RefusalLimit(policy.dead_letter_limit_ratio)
        self._refusal_log = RefusalLog(policy.log_ids)
        self._committer: OffsetCommitter | None = None
        self._saving: asyncio.Task[None] | None = None
        self._under_way: deque[_MicroBatch] = deque()
        self._stopping = False
        self._item_vectors_due_at = 0.0
        self._moved: Iterator[dict[int, PackedRecords]] | None = None
        self._serve_due_at = 0.0
        self._checkpoint_due_at = 0.0
        self.latency = RecentLatency()
        self.num_updates = 0
        self._committed: Manifest | None = None
        self.saved_at_s: float | None = None
        self.is_saving_refused = False

    async def run(self, committer: OffsetCommitter) -> None:
        """Go on until `finish` is called.

        Args:
            committer: is told the next offsets of every checkpoint that is complete.
        """
        self._committer = committer
        search_rarely()
        self.saved_at_s = self._now()
        self._checkpoint_due_at = self.saved_at_s + self._policy.checkpoint_interval_s
        while not self._stopping:
            if self._intake.num_records and (self._under_way or not self._learning.is_urgent):
                await self._micro_batch()
                if self._learning.is_late and not self._under_way:
                    await self._learn()
            else:
                await self._end_micro_batches()
                if not await self._learn():
                    await self._intake.wait(self._wait_s())
            await self._by_the_clock()

    async def finish(self, running: "asyncio.Task[None]") -> None:
        """End `run` after the micro-batch it is in, save what it did and commit.

        A `run` that refused to go on has applied nothing of what it refused: what went before is saved, so that the
        next start does not send the same dead letters again.
        """
        self._stopping = True
        self._intake.wake()
        with contextlib.suppress(ConfigError):
            await running
        await self._end_micro_batches()
        self._moved = self._moved or self._engine.moved_item_vectors()
        while self._moved is not None:
            await self._publish_moved(self._moved)
        if self._saving is not None:
            await self._saving
        await self._save(*await self._changes())

    async def _micro_batch(self) -> None:
        """Begin the next; end those before it but for the newest, or, with nothing more waiting, all."""
        begun = self._begin_micro_batch()
        self._under_way.append(begun)
        await self._end_micro_batches(but=UNDER_WAY if begun.learns else 0)

    def _begin_micro_batch(self) -> "_MicroBatch":
        chunks = self._intake.take(self._policy.micro_batch_size)
        self._refusal_log.note(chunks, self._now())
        self._refusals.check(chunks, self._now())
        learns = self._is_behind()
        left_s = self._checkpoint_due_at - self._now()
        is_checkpoint_near = left_s < TAKEN_AHEAD_RATIO * self._policy.checkpoint_interval_s
        process = partial(self._process, chunks, learns=learns, is_checkpoint_near=is_checkpoint_near)
        return _MicroBatch(chunks, learns, self._model_thread.submit(self._engine.work, process))

    async def _end_micro_batches(self, but: int = 0) -> None:
        """Send what those that are under way have made, the oldest first."""
        while len(self._under_way) > but:
            await self._end_micro_batch(self._under_way.popleft())

    async def _end_micro_batch(self, ended: _MicroBatch) -> None:
        outcome = await ended.outcome
        if not outcome.is_complete:  # but it is when the next has been begun
            await (self._under_way[0].outcome if self._under_way else self._on_model_thread(self._engine.complete))
        if ended.learns:
            self._learning.note_learned(self._now())
        self.num_updates += outcome.num_updates
        updates = await asyncio.to_thread(lambda: outcome.updates) if ended.learns else outcome.updates
        await self._publisher.send(self._policy.updates_topic, updates)
        self.latency.note(time.time(), ended.chunks)
        if outcome.dead_letters:
            await self._publisher.send(self._policy.dead_letters_topic, {0: PackedRecords.of(outcome.dead_letters)})
        self._measure_latency(ended.chunks)
        self._learning.note_examples(self._now())

    def _process(self, chunks: Sequence[Chunk], *, learns: bool, is_checkpoint_near: bool) -> Outcome:
        """A worker that is behind `learns` while the device encodes: its two processors shall both be busy."""
        with self._meters.micro_batch.time():
            if is_checkpoint_near:
                self._engine.take_ahead()
            outcome = self._engine.begin_to_process(chunks)
            if learns:
                self._learning.learn_what_waits()
                self._engine.complete(but=1)
            else:
                self._engine.complete()
                _ = outcome.updates
            return outcome

    def _measure_latency(self, chunks: Sequence[Chunk]) -> None:
        now_ms = time.time() * 1000
        for chunk in chunks:
            if chunk.events:
                self._meters.latency.observe(max(now_ms - chunk.timestamp_ms, 0) / 1000)

    def _is_behind(self) -> bool:
        """So many records wait that throughput counts more than how soon each is answered."""
        return self._intake.num_records > min(BEHIND_RECORDS, self._policy.micro_batch_size)

    async def _learn(self) -> bool:
        """Learn or replay if it is time to; False if there was nothing to do."""
        if piece := self._learning.next_piece(self._now(), is_behind=self._is_behind()):
            if await self._on_model_thread(piece):
                self._learning.note_learned(self._now())
        elif replay := self._learning.next_replay():
            await self._on_model_thread(replay)
        else:
            return False
        return True

    def _wait_s(self) -> float:
        """How long there is nothing to do if no event comes."""
        if self._moved is not None:
            return 0.0
        dues = self._dues
        if self._learning.due_at is not None:
            dues.append(self._learning.due_at)
        return min(IDLE_WAIT_S, max(0.0, min(dues) - self._now()))

    @property
    def _dues(self) -> list[float]:
        return [self._serve_due_at, self._item_vectors_due_at, self._checkpoint_due_at]

    async def _by_the_clock(self) -> None:
        now = self._now()
        if now >= min(self._dues):
            await self._end_micro_batches()
        if now >= self._serve_due_at:
            self._serve_due_at = now + SERVE_EVERY_S
            await self._on_model_thread(self._engine.serve)
        if now >= self._item_vectors_due_at:
            self._item_vectors_due_at = now + self._policy.item_vector_interval_s
            self._moved = self._moved or self._engine.moved_item_vectors()
        if self._moved is not None:
            await self._publish_moved(self._moved)
        if self._saving is not None and self._saving.done():
            self._saving = self._saving.result()
        is_amid_batch = self._learning.has_begun and now < self._checkpoint_due_at + BATCH_WAIT_S
        if now >= self._checkpoint_due_at and self._saving is None and not is_amid_batch:
            self._checkpoint_due_at = now + self._policy.checkpoint_interval_s
            if self._is_saved():
                self.saved_at_s = now
            else:
                self._saving = asyncio.create_task(self._save(*await self._changes()), name="checkpoint")

    def _is_saved(self) -> bool:
        """Whether the newest checkpoint holds all there is, and is committed: an idle worker leaves the disk alone."""
        newest = self._committed
        return newest is not None and newest.is_of_same_state(self._engine.manifest()) and self._store.is_at_rest()

    async def _publish_moved(self, moved: Iterator[dict[int, PackedRecords]]) -> None:
        """One piece of a round of item vectors; micro-batches go before the next."""
        records = await self._on_model_thread(lambda: next(moved, None))
        if records is None:
            self._moved = None
        else:
            await self._publisher.send(self._policy.item_vectors_topic, records)

    async def _changes(self) -> tuple[list[StateChanges], Manifest]:
        """What changed up to this micro-batch boundary, all outputs up to it being acknowledged."""
        await self._publisher.flush()
        return await self._on_model_thread(self._engine.take_changes)

    async def _save(self, changes: list[StateChanges], manifest: Manifest) -> None:
        """Write a checkpoint, then commit its offsets; if the disk refuses, go on with the last good one."""
        self._confirm_ownership()
        try:
            with self._meters.checkpoint.time():
                number = await asyncio.to_thread(self._store.save, changes, manifest)
        except OSError as error:
            logger.error("checkpoint not written, nothing committed, the last good one stays: %s", error)
            self._meters.checkpoint_failures.inc()
            self.is_saving_refused = True
            await self._on_model_thread(partial(self._engine.not_saved, changes))
            return
        self.saved_at_s, self.is_saving_refused = self._now(), False
        self._meters.checkpoint_bytes.set(self._store.num_bytes(number))
        about = {"checkpoint": number, "model_step": manifest.model_step, "next_offsets": manifest.next_offsets}
        logger.info("checkpoint %d: model step %d", number, manifest.model_step, extra=about)
        self._confirm_ownership()
        if self._committer is not None and await self._committer.commit_exactly(next_offsets(manifest)):
            self._committed = manifest
        self._store.merge_when_due()
        await asyncio.to_thread(give_back)

    async def _on_model_thread(self, piece: Callable[[], R]) -> R:
        return await self._model_thread.run(self._engine.work, piece)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
