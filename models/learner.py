"""The online learner: examples in, vectors out, everything it knows as arrays. Knows no users, clocks or brokers."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from models.config import ModelConfig
from models.counting.memory import CountingMemory, Recollection
from models.device.device import GATE_EXAMPLES, GATE_KNOWN, GATE_SAMPLES, Device
from models.device.turn import Turn
from models.inputs.augmentation import augment, augmentation_policy
from models.inputs.batches import BatchBuilder, Candidates
from models.inputs.credit import credited
from models.inputs.examples import ExampleQueue, ReplayRing, forget_queries, forget_slots
from models.inputs.features import Examples
from models.inputs.sampling import all_items, join_known, sample_items
from models.items.queries import QueryVocabulary
from models.items.vocabulary import ItemVocabulary, Resolved
from models.mixture.gate import GateBatch
from models.quality.drift import DriftWatch
from models.quality.evaluation import RANKERS, PrequentialMetrics
from models.reports import Ended, LearnReport, Running
from models.saving import Array, Saved, State, joined, part_of, state_of
from models.scoring import Scorer
from models.serving.reader import Reader

STEPS_UNDER_WAY = 4  # of the device while the host prepares the next; a loss is read so many batches later
TAUGHT_EVERY = 16  # batches of which one teaches the gate while the learner is behind
SCORED_EVERY = 64  # and of which one is scored

_NO_LOSS: jax.Array | float = 0.0
_NOTHING_SCORED = np.zeros(0, np.int32), np.zeros((0, len(RANKERS)), np.int32)
_LEARN, _REPLAY, _SCORE, _RECYCLE = range(1, 5)  # purposes of random numbers: one stream each


class OnlineLearner(Reader):
    """Scores and learns; is read by its weights of now. All calls come from one thread; each is bounded.

    The same calls in the same order give the same parameters, bit for bit on a CPU; random numbers come from the seed
    and counters only.

    Attributes:
        queries: search queries and their slots.
        served: reads the weights that `serve` copied last, and so waits for no learning step; any thread that has the
            turn may.
        prequential: how well it predicted before it learned.
        drift: whether the stream has changed, by the loss.
    """

    def __init__(self, config: ModelConfig) -> None:
        items = ItemVocabulary(config)
        self.queries = QueryVocabulary(config)
        self.prequential = PrequentialMetrics()
        self.drift = DriftWatch(config)
        num_rows, window = items.num_rows, config.encoder_window
        memory = CountingMemory(config, items.first, num_rows)
        self._pending = ExampleQueue(window)
        self._ring = ReplayRing(config.replay_capacity, window, num_rows)
        self._builder = BatchBuilder(config, self.queries.tokens, num_rows)
        device = Device(config, self._builder, num_rows)
        super().__init__(config, device, lambda: device.live, memory, items)
        self.served = Reader(config, device, lambda: device.served, memory, items)
        self._scorer = Scorer(config, device, self.ranker, items, self.prequential)
        self._augmentation = augmentation_policy(config)
        self._is_fresh = np.ones(num_rows, bool)
        self._is_touched = np.zeros(num_rows, bool)
        self._touched: list[np.ndarray] = []
        self._num_batches = self._num_replays = self._num_recycled = 0
        self._running = deque([Running(0.0, 0.0, 0)] * STEPS_UNDER_WAY)

    @property
    def computed(self) -> list[Ended]:
        """The newest steps, newest first, that have been computed before a report tells of them; for any thread."""
        return [running.ended() for running in reversed(tuple(self._running)) if running.is_computed]

    @property
    def compilations(self) -> int:
        """XLA compilations so far; flat after `compile`."""
        return self._device.compilations

    @property
    def turn(self) -> Turn:
        """Taken by whoever changes this, and by whoever reads `served` meanwhile."""
        return self._device.turn

    @property
    def num_pending(self) -> int:
        """Examples that wait to be learned."""
        return len(self._pending)

    @property
    def waiting(self) -> Examples:
        """The examples that wait to be learned, oldest first; a view, valid until the next `add`."""
        return self._pending.waiting

    def compile(self, compilation_cache: Path | None = None) -> None:
        """Compile every padded shape; a minute, or seconds where `compilation_cache` has it from an earlier process."""
        self._device.compile(compilation_cache)
        self._memory.compile()

    def resolve_items(self, item_ids: Sequence[str]) -> Resolved:
        """Slots of items, new ones admitted; the learner forgets what `evicted` slots held, the caller should too."""
        resolved = self.items.resolve(item_ids)
        if len(resolved.evicted):
            self._recycle(resolved.evicted)
        return resolved

    def resolve_queries(self, queries: Sequence[str]) -> Resolved:
        """Slots of queries, all positive; windows carry them negated. Evicted ones leave the learner's windows."""
        resolved = self.queries.resolve(queries)
        if len(resolved.evicted):
            is_gone = np.zeros(1 + self.config.max_queries, bool)
            is_gone[resolved.evicted] = True
            forget_queries(self._pending.waiting, is_gone)
            self._ring.forget_queries(is_gone)
        return resolved

    def serve(self) -> None:
        """Let `served` catch up with what was learned; the cost grows with the rows that moved."""
        self._device.serve()

    def as_of_now(self) -> Reader:
        """One that reads by the weights of now, whatever is learned after, and by counts and items as they are then."""
        weights = self._device.copied()
        return Reader(self.config, self._device, lambda: weights, self._memory, self.items)

    def take_touched_items(self) -> np.ndarray:
        """Item slots whose vectors changed since the last call: `[items]` int32, ascending."""
        slots = np.sort(np.concatenate([np.zeros(0, np.int32), *self._touched]))
        self._touched.clear()
        self._is_touched[slots] = False
        return slots

    def add(self, examples: Examples) -> None:
        """Hand over examples in the order in which they happened; they wait for `learn_batch`."""
        newest = examples.windows.newest(self.config.encoder_window)
        self._pending.put(Examples(newest, examples.targets, examples.kinds))

    def learn_batch(self, *, is_behind: bool = False) -> LearnReport | None:
        """Score, then learn, the oldest pending examples, at most `batch_size`; None where nothing waits.

        Args:
            is_behind: there is no time for everything: the memory learns from every example, the network from
                `overload_learn_ratio` of them, but only one batch of `TAUGHT_EVERY` teaches the gate, and one of
                `SCORED_EVERY` is scored.
        """
        reports = [*self.learning(is_behind=is_behind)]
        return reports[-1] if reports else None

    def learning(self, *, is_behind: bool = False) -> Iterator[LearnReport | None]:
        """`learn_batch` in pieces of some milliseconds, for who has something else to do in between; the last reports.

        Examples may be added between two pieces. Nothing else may be learned, and no state taken, before the last one.
        """
        if not len(self._pending):
            return
        count = min(len(self._pending), self.config.batch_size)
        scored = _NOTHING_SCORED
        if not is_behind or self._num_batches % SCORED_EVERY == 0:
            scored = yield from self._scorer.score(lambda: self._oldest(count), self._rng(_SCORE, self._num_batches))
        is_left_out = is_behind and not _is_among(self._num_batches, self.config.overload_learn_ratio)
        rng, gate_loss = self._rng(_LEARN, self._num_batches), _NO_LOSS
        if not is_left_out and (not is_behind or self._num_batches % TAUGHT_EVERY == 0):
            gate_loss = self._teach_gate(self._prepared(self._oldest(count)), rng)
            yield None
        batch = self._prepared(self._pending.take(count))
        num_usable = int(batch.is_taught.sum())
        num_taught = 0 if is_left_out else num_usable
        loss = self._step(batch.taught, batch.items, rng) if num_taught else _NO_LOSS
        self._remember(batch)
        self._num_batches += 1
        self._running.append(Running(loss, gate_loss, num_taught))
        ended = self.turn.wait_for(self._running.popleft()).ended()
        self.drift.note(ended.loss, ended.num_taught)
        yield LearnReport(ended.loss, ended.gate_loss, count, count - num_usable, num_usable - num_taught, *scored)

    def _oldest(self, count: int) -> Examples:
        """The oldest that wait, as they are now: between two pieces items may leave them."""
        return self._pending.waiting.take(slice(0, count))

    def _prepared(self, examples: Examples) -> "_Batch":
        """Examples that are about to be learned; their new items start."""
        items = self._memory.recent_items(examples.windows.slots)
        self._start_items(items, examples.targets)
        return _Batch(examples, items, self.ranker.is_predictable(examples))

    def replay_batch(self) -> None:
        """Learn from past examples once more; the gate and the memory do not."""
        if not len(self._ring):
            return
        rng = self._rng(_REPLAY, self._num_replays)
        self._num_replays += 1
        examples = self._ring.sample(self.config.batch_size, rng, self.drift.recent_share, self.drift.num_recent)
        windows = augment(examples.windows, self._augmentation, self._memory, rng)
        examples = Examples(windows, examples.targets, examples.kinds)
        self._step(examples, self._memory.recent_items(examples.windows.slots), rng)

    def _rng(self, purpose: int, count: int) -> np.random.Generator:
        return np.random.default_rng([self.config.seed, purpose, count])

    def _start_items(self, items: np.ndarray, targets: np.ndarray) -> None:
        """A new item starts in its context: the window it first follows, or the item that follows it."""
        has_window = items[:, -1] > 0
        first = self._take_fresh(targets, has_window)
        last = self._take_fresh(items[:, -1], has_window)
        if len(first) or len(last):
            self._device.start_items(targets[first], items[first], items[last, -1], targets[last])

    def _take_fresh(self, slots: np.ndarray, is_possible: np.ndarray) -> np.ndarray:
        at = np.flatnonzero(self._is_fresh[slots] & self.items.is_target(slots) & is_possible)
        at = at[np.unique(slots[at], return_index=True)[1]]
        self._is_fresh[slots[at]] = False
        return at

    def _step(self, examples: Examples, items: np.ndarray, rng: np.random.Generator) -> jax.Array:
        soft_targets = self._memory.sample_successors(items, self.config.num_soft_targets, rng)
        batch = self._builder.step(examples, soft_targets, self._negatives(rng))
        loss = self._device.learn(batch, self.drift.rate_scale)
        self._touch(np.asarray(batch.rows))
        return loss

    def _teach_gate(self, batch: "_Batch", rng: np.random.Generator) -> jax.Array | float:
        """A step of the gate, which judges the network before it learns the batch.

        Only by targets seen before: a new one has just been started in the window that is to predict it.
        """
        usable = np.flatnonzero(batch.is_taught & self._memory.is_seen[batch.examples.targets])
        if not len(usable):
            return _NO_LOSS
        chosen = rng.choice(usable, GATE_EXAMPLES)
        examples = batch.examples.take(chosen)
        recollection = self._memory.recall(batch.items[chosen])
        judged = GateBatch(
            examples.targets,
            self._builder.weights(examples),
            self._memory.probabilities(recollection, examples.targets),
            recollection.confidence,
            recollection.has_say,
            self._gate_samples(recollection, rng),
        )
        return self._device.learn_gate(examples.windows, judged)

    def _gate_samples(self, recollection: Recollection, rng: np.random.Generator) -> Candidates:
        likeliest = recollection.likeliest(GATE_KNOWN)
        known = likeliest[self._memory.is_seen[likeliest]]
        return join_known(known, GATE_KNOWN, self._sample(GATE_SAMPLES, rng))

    def _negatives(self, rng: np.random.Generator) -> Candidates:
        if self.config.loss == "full_softmax":
            return all_items(self._memory.is_seen)
        return self._sample(self._device.num_negatives, rng)

    def _sample(self, count: int, rng: np.random.Generator) -> Candidates:
        in_use = range(self.items.first, self.items.end)
        return sample_items(count, self._ring, self._memory.is_seen, in_use, rng)

    def _remember(self, batch: "_Batch") -> None:
        targets = batch.examples.targets
        is_own = self.items.is_target(targets)
        self._memory.learn(batch.items[is_own], targets[is_own])
        taught = batch.examples.take(batch.is_taught)
        self._ring.put(taught)
        if self.config.credit_clicks:
            self._ring.put(credited(taught))

    def _touch(self, rows: np.ndarray) -> None:
        slots = rows[(rows >= 1) & (rows < self.items.num_rows)]
        new = slots[~self._is_touched[slots]]
        self._is_touched[new] = True
        self._touched.append(new)

    def _recycle(self, slots: np.ndarray) -> None:
        is_gone = np.zeros(self.items.num_rows, bool)
        is_gone[slots] = True
        forget_slots(self._pending.waiting, is_gone)
        self._ring.forget(is_gone)
        self._memory.forget(slots)
        self._is_fresh[slots] = True
        self._device.replace(slots, self._rng(_RECYCLE, self._num_recycled))
        self._num_recycled += 1
        self._touch(slots)

    def parts(self) -> dict[str, Saved]:
        """What it is saved as."""
        composites = {"items": self.items.parts(), "queries": self.queries.parts(), "memory": self._memory.parts()}
        parts = joined(composites)
        own = {"pending": self._pending, "ring": self._ring, "device": self._device, "prequential": self.prequential}
        return {**parts, **own, "drift": self.drift, "counters": _Counters(self)}

    def state(self) -> dict[str, Any]:
        """Everything; copies. A long-lived worker takes the changes of its parts instead."""
        return state_of(self.parts())

    def restore(self, state: State) -> None:
        """Become what `state` came from: equal bits now and after every further call."""
        for name, part in (("items", self.items), ("queries", self.queries), ("memory", self._memory)):
            part.restore(part_of(state, name))
        for name, saved in (("pending", self._pending), ("ring", self._ring), ("device", self._device)):
            saved.restore(part_of(state, name))
        self.prequential.restore(part_of(state, "prequential"))
        self.drift.restore(part_of(state, "drift"))
        own = part_of(state, "counters")
        self._is_fresh[:] = True
        self._is_fresh[: len(own["is_fresh"])] = own["is_fresh"]
        self._is_touched[:] = False
        self._is_touched[own["touched"]] = True
        self._touched = [own["touched"]]
        self._num_batches, self._num_replays, self._num_recycled = own["counts"].tolist()
        self._running = deque(
            Running(loss, gate, int(num_taught)) for loss, gate, num_taught in own["running"].tolist()
        )


class _Batch(NamedTuple):
    """Examples that are being learned.

    Attributes:
        examples: as they wait.
        items: `[batch, time]` int32, the items of their windows.
        is_taught: `[batch]` bool, which of them can teach the network.
    """

    examples: Examples
    items: np.ndarray
    is_taught: np.ndarray

    @property
    def taught(self) -> Examples:
        """What the network is taught: as many examples, without the targets that cannot teach."""
        return Examples(self.examples.windows, np.where(self.is_taught, self.examples.targets, 0), self.examples.kinds)


def _is_among(number: int, share: float) -> bool:
    """Whether the batch of this number is among the `share` of all that are chosen, which are spread evenly."""
    return int((number + 1) * share) > int(number * share)


class _Counters(Saved):
    """What the learner itself keeps: which items are fresh or touched, and how often it did what."""

    def __init__(self, learner: OnlineLearner) -> None:
        super().__init__()
        self._learner = learner

    def wholes(self) -> Mapping[str, Array]:
        learner = self._learner
        return {
            "is_fresh": learner._is_fresh[: learner.items.end],
            "touched": np.flatnonzero(learner._is_touched).astype(np.int32),
            "running": np.array([running.ended() for running in learner._running], np.float32),
            "counts": np.array([learner._num_batches, learner._num_replays, learner._num_recycled], np.int64),
        }
