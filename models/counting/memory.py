"""The counting memory: which items follow and precede which, what is popular, what repeats. Plain numpy on the host.

It is the honest baseline and, through the gate, half of the model. It reads the items of a window, searches skipped.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.config import ModelConfig
from models.counting.neighbours import LARGEST_UNIT, NeighbourCounts
from models.saving import Array, Column, Saved, State, part_of

NUM_LAGS = 5
SUCCESSOR_WEIGHTS = np.array([1.0, 1 / 2, 1 / 3])  # by distance in the window
POPULARITY_HALF_LIFE = 23_000  # events


@dataclass(frozen=True)
class Components:
    """Where each kind of mixture component stands among all: network, successors, predecessors, repeats, popularity."""

    window: int

    @property
    def num_lags(self) -> int:
        """The last items of a window whose neighbours are asked."""
        return min(NUM_LAGS, self.window)

    @property
    def successors(self) -> slice:
        """Of the last, the second last, … item."""
        return slice(1, 1 + self.num_lags)

    @property
    def predecessors(self) -> slice:
        """Of the last, the second last, … item."""
        return slice(1 + self.num_lags, 1 + 2 * self.num_lags)

    @property
    def repeats(self) -> slice:
        """The last, the second last, … item itself."""
        return slice(1 + 2 * self.num_lags, 1 + 2 * self.num_lags + self.window)

    @property
    def count(self) -> int:
        """All of them."""
        return 2 + 2 * self.num_lags + self.window

    def num_candidates(self, neighbours: int) -> int:
        """Candidate columns of a `Recollection`."""
        return 2 * self.num_lags * neighbours + self.window

    def of_candidates(self, neighbours: int) -> np.ndarray:
        """The component that each candidate column of a `Recollection` belongs to."""
        return np.r_[np.repeat(np.arange(1, 1 + 2 * self.num_lags), neighbours), np.arange(self.count)[self.repeats]]

    def counting_rule(self) -> np.ndarray:
        """Fixed weights, the baseline without parameters: `[count]` float32."""
        rule = np.zeros(self.count, np.float32)
        rule[self.successors] = 0.6 ** np.arange(self.num_lags)
        lags = np.arange(self.window)
        rule[self.repeats] = np.where(lags < 10, 0.15 * 0.7**lags, 0.0)
        return rule


@dataclass(frozen=True)
class Recollection:
    """What the memory says about some windows.

    Attributes:
        ids: `[batch, candidates]` int32 item slots, 0 where there is none; one may occur several times.
        shares: `[batch, candidates]` float32, the probability that the candidate's component gives to it.
        confidence: `[batch, components]` float32, log of how much each component has seen.
        has_say: `[batch, components]` bool.
    """

    ids: np.ndarray
    shares: np.ndarray
    confidence: np.ndarray
    has_say: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def likeliest(self, count: int) -> np.ndarray:
        """Distinct items that are expected most after any of the windows: at most `count`, int32, ascending."""
        shares = self.shares.ravel()
        kept = min(2 * count, len(shares))  # most occur twice, as a successor and as a predecessor
        top = np.argpartition(-shares, kept - 1)[:kept]
        return np.unique(self.ids.ravel()[top[shares[top] > 0]])[:count]


class CountingMemory(Saved):
    """Learns from examples one after the other; says what it expects after a window."""

    def __init__(self, config: ModelConfig, first_item: int, num_rows: int) -> None:
        super().__init__()
        self._config = config
        self._first_item = first_item
        self._end = first_item
        self.components = Components(config.encoder_window)
        self.successors = NeighbourCounts(num_rows, config.memory_slots, config.memory_half_life)
        self.predecessors = NeighbourCounts(num_rows, config.memory_slots, config.memory_half_life)
        self.is_seen = np.zeros(num_rows, bool)
        self.num_seen = np.zeros(num_rows, np.int32)
        self._trend = np.zeros(num_rows, np.float64)
        self._trend_total = 0.0
        self._trend_unit = 1.0

    def compile(self) -> None:
        """Compile the loops over neighbours, on a scratch state."""
        scratch = CountingMemory(self._config, self._first_item, 2)
        items = np.ones((1, self._config.encoder_window), np.int32)
        scratch.learn(items, items[:, 0])
        scratch.sample_successors(items, 1, np.random.default_rng(0))

    def recent_items(self, slots: np.ndarray) -> np.ndarray:
        """Windows of admitted items only, right-aligned: `[batch, time]` int32, 0 = empty."""
        is_item = slots >= self._first_item
        items = np.where(is_item, slots, 0)
        if np.array_equal(is_item, slots != 0):
            return items
        order = np.argsort(is_item, axis=1, kind="stable")
        return np.take_along_axis(items, order, axis=1)

    def popularity(self, slots: np.ndarray | slice) -> np.ndarray:
        """The share of recent events that each item had: float32."""
        return (self._trend[slots] / max(self._trend_total, 1e-9)).astype(np.float32)

    def recall(self, items: np.ndarray) -> Recollection:
        """What is expected after windows of items, `[batch, time]` as from `recent_items`."""
        asked = items[:, : -1 - self.components.num_lags : -1]
        parts = [table.of(asked) for table in (self.successors, self.predecessors)]
        batch, repeats = len(items), items[:, ::-1]
        say_repeats = (repeats > 0).astype(np.float32)
        ones = np.zeros((batch, 1), np.float32)
        confidence = np.concatenate([ones, *(p[2] for p in parts), say_repeats, ones], 1)
        has_say = confidence > 0
        has_say[:, [0, -1]] = True
        return Recollection(
            np.concatenate([*(p[0].reshape(batch, -1) for p in parts), repeats], 1),
            np.concatenate([*(p[1].reshape(batch, -1) for p in parts), say_repeats], 1),
            0.3 * confidence,
            has_say,
        )

    def probabilities(self, recollection: Recollection, targets: np.ndarray) -> np.ndarray:
        """What each component gives to the targets: `[batch, components]` float32, 0 for the network's."""
        at_target = recollection.shares * (recollection.ids == targets[:, None])
        window, batch = self.components.window, len(targets)
        by_lag = at_target[:, :-window].reshape(batch, 2 * self.components.num_lags, -1).sum(2)
        network = np.zeros((batch, 1), np.float32)
        return np.concatenate([network, by_lag, at_target[:, -window:], self.popularity(targets)[:, None]], 1)

    def sample_successors(self, items: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        """Items drawn from what followed the last items of windows, as the counting rule weighs them.

        Returns:
            `[batch, count]` int32, with repetition; 0 where nothing is known to have followed.
        """
        asked = items[:, : -1 - self.components.num_lags : -1]
        weights = self.components.counting_rule()[self.components.successors]
        return self.successors.draw(asked, weights, rng.random((2, len(items), count), np.float32))

    def learn(self, items: np.ndarray, targets: np.ndarray) -> None:
        """Count what followed; `items` `[batch, time]` as from `recent_items`, `targets` `[batch]` int32."""
        by_distance = SUCCESSOR_WEIGHTS[: items.shape[1]]
        sources = np.concatenate([items[:, -distance] for distance in range(1, 1 + len(by_distance))])
        is_real = sources > 0
        sources = sources[is_real]
        followers = np.tile(targets, len(by_distance))[is_real]
        weights = np.repeat(by_distance, len(targets))[is_real]
        self.successors.add(sources, followers, weights)
        self.predecessors.add(followers, sources, weights)
        self.successors.age(len(targets))
        self.predecessors.age(len(targets))
        self._see(items, targets)

    def _see(self, items: np.ndarray, targets: np.ndarray) -> None:
        self.is_seen[items] = True
        self.is_seen[targets] = True
        self.is_seen[0] = False
        self._end = max(self._end, 1 + int(targets.max(initial=0)), 1 + int(items.max(initial=0)))
        self.tracker.mark(targets)
        self.tracker.mark(items.ravel())
        np.add.at(self.num_seen, targets, 1)
        np.add.at(self._trend, targets, self._trend_unit)
        self._trend_total += len(targets) * self._trend_unit
        self._trend_unit *= 2 ** (len(targets) / POPULARITY_HALF_LIFE)
        if self._trend_unit > LARGEST_UNIT:
            self._trend /= self._trend_unit
            self._trend_total /= self._trend_unit
            self._trend_unit = 1.0
            self.tracker.mark(np.arange(self._end))

    def forget(self, slots: np.ndarray) -> None:
        """Items that left: nothing of them remains."""
        is_gone = np.zeros(len(self.is_seen), bool)
        is_gone[slots] = True
        for table in (self.successors, self.predecessors):
            table.forget(slots, is_gone)
        self._trend_total -= float(self._trend[slots].sum())
        self._trend[slots] = 0
        self.num_seen[slots] = 0
        self.is_seen[slots] = False
        self.tracker.mark(slots[slots < self._end])

    def parts(self) -> dict[str, Saved]:
        """What it is saved as."""
        return {"seen": self, "successors": self.successors, "predecessors": self.predecessors}

    def tracked(self) -> Mapping[str, Column]:
        """What was seen, up to the highest slot in use."""
        return {name: column[: self._end] for name, column in self._columns.items()}

    @property
    def _columns(self) -> dict[str, Array]:
        return {"is_seen": self.is_seen, "num_seen": self.num_seen, "trend": self._trend}

    def wholes(self) -> Mapping[str, Array]:
        """The weight of an event of now, and the sum of all weights."""
        return {"trend_scale": np.array([self._trend_unit, self._trend_total], np.float64)}

    def restore(self, state: State) -> None:
        """Become what the parts' state came from."""
        self.successors.restore(part_of(state, "successors"))
        self.predecessors.restore(part_of(state, "predecessors"))
        self._end = max(self._first_item, len(state.get("seen/is_seen", ())))
        for name, column in self._columns.items():
            column[:] = 0
            saved = state.get(f"seen/{name}", np.zeros(0))
            column[: len(saved)] = saved
        self._trend_unit, self._trend_total = state["seen/trend_scale"].tolist()
        self.tracker.clear()
