"""Examples in columns: those that wait to be learned, and the past ones that are learned again. Plain numpy."""

from collections.abc import Mapping
from dataclasses import fields

import numpy as np

from models.inputs.features import Examples, WindowBatch
from models.saving import Array, Column, Saved, State


def empty_examples(capacity: int, time: int) -> Examples:
    """Room for examples; memory is only taken where it is written."""
    return Examples(WindowBatch.empty(capacity, time), np.zeros(capacity, np.int32), np.zeros(capacity, np.int8))


def columns(examples: Examples) -> dict[str, np.ndarray]:
    """The arrays of examples by name; views, not copies."""
    windows = {f"window_{f.name}": getattr(examples.windows, f.name) for f in fields(WindowBatch)}
    return {**windows, "targets": examples.targets, "kinds": examples.kinds}


def from_columns(arrays: Mapping[str, np.ndarray]) -> Examples:
    """What `columns` took apart."""
    windows = WindowBatch(*(arrays[f"window_{f.name}"] for f in fields(WindowBatch)))
    return Examples(windows, arrays["targets"], arrays["kinds"])


def put(into: Examples, at: np.ndarray | slice, examples: Examples) -> None:
    """Write examples into rows."""
    for name, column in columns(into).items():
        column[at] = columns(examples)[name]


def forget_slots(examples: Examples, is_gone: np.ndarray) -> np.ndarray:
    """Empty the window positions and clear the targets of items that left, in place.

    Args:
        examples: what to scrub.
        is_gone: `[items]` bool, over all item slots.

    Returns:
        `[rows]` int64, the examples that were changed.
    """
    slots, targets = examples.windows.slots, examples.targets
    in_window, is_target = is_gone[np.maximum(slots, 0)], is_gone[targets]
    slots[in_window] = 0
    targets[is_target] = 0
    return np.flatnonzero(in_window.any(1) | is_target)


def forget_queries(examples: Examples, is_gone: np.ndarray) -> np.ndarray:
    """Empty the window positions of queries that left, in place; returns as `forget_slots`.

    Args:
        examples: what to scrub.
        is_gone: `[queries]` bool, over all query slots.
    """
    slots = examples.windows.slots
    in_window = is_gone[np.maximum(-slots, 0)]
    slots[in_window] = 0
    return np.flatnonzero(in_window.any(1))


class ExampleQueue(Saved):
    """First in, first out; grows by doubling. Its owner bounds it by taking."""

    def __init__(self, time: int) -> None:
        super().__init__()
        self._rows = empty_examples(256, time)
        self._start = self._end = 0

    def __len__(self) -> int:
        return self._end - self._start

    @property
    def waiting(self) -> Examples:
        """The examples that wait, oldest first; a view, valid until the next put."""
        return self._rows.take(slice(self._start, self._end))

    def put(self, examples: Examples) -> None:
        """Append examples."""
        self._make_room(len(examples))
        put(self._rows, slice(self._end, self._end + len(examples)), examples)
        self._end += len(examples)

    def take(self, count: int) -> Examples:
        """The oldest `count`, or all if there are fewer; a copy."""
        end = min(self._start + count, self._end)
        taken = self._rows.take(np.arange(self._start, end))
        self._start = end
        return taken

    def _make_room(self, count: int) -> None:
        capacity = len(self._rows)
        if self._end + count <= capacity:
            return
        waiting = self.waiting.take(np.arange(len(self)))
        while capacity < 2 * (len(waiting) + count):
            capacity *= 2
        if capacity > len(self._rows):
            self._rows = empty_examples(capacity, self._rows.windows.slots.shape[1])
        put(self._rows, slice(0, len(waiting)), waiting)
        self._start, self._end = 0, len(waiting)

    def wholes(self) -> Mapping[str, Array]:
        """What waits; a few batches at the most."""
        return columns(self.waiting)

    def restore(self, state: State) -> None:
        """Become what `state` came from."""
        self._start = self._end = 0
        self.put(from_columns(state))


class ReplayRing(Saved):
    """The last `capacity` learned examples, and how often each item is a target among them.

    Attributes:
        frequency: `[items]` int32, over all item slots.
    """

    def __init__(self, capacity: int, time: int, num_items: int) -> None:
        super().__init__()
        self._rows = empty_examples(capacity, time)
        self._num_put = 0
        self.frequency = np.zeros(num_items, np.int32)

    def __len__(self) -> int:
        return min(self._num_put, len(self._rows))

    @property
    def remembered(self) -> Examples:
        """All of them; a view. Targets that have left are 0."""
        return self._rows.take(slice(0, len(self)))

    def put(self, examples: Examples) -> None:
        """Remember examples, at most `capacity` at a time, in place of the oldest."""
        at = (self._num_put + np.arange(len(examples))) % len(self._rows)
        np.subtract.at(self.frequency, self._rows.targets[at], 1)
        np.add.at(self.frequency, examples.targets, 1)
        self.frequency[0] = 0
        put(self._rows, at, examples)
        self._num_put += len(examples)
        self.tracker.mark(at)

    def sample(self, count: int, rng: np.random.Generator, recent_share: float = 0.0, num_recent: int = 0) -> Examples:
        """Examples drawn uniformly, with repetition; a share of them from the newest `num_recent` only."""
        at = rng.integers(0, len(self), count)
        if recent_share and num_recent:
            ages = rng.integers(0, min(num_recent, len(self)), count)
            at = np.where(rng.random(count) < recent_share, (self._num_put - 1 - ages) % len(self._rows), at)
        return self._rows.take(at)

    def sample_targets(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Targets drawn as often as they happened: `[count]` int32; 0 where the item has left."""
        return self._rows.targets[rng.integers(0, len(self), count)]

    def forget(self, is_gone: np.ndarray) -> None:
        """Scrub items that left; `is_gone`: `[items]` bool."""
        self.tracker.mark(forget_slots(self.remembered, is_gone))
        self.frequency[is_gone] = 0

    def forget_queries(self, is_gone: np.ndarray) -> None:
        """Scrub queries that left; `is_gone`: `[queries]` bool."""
        self.tracker.mark(forget_queries(self.remembered, is_gone))

    def tracked(self) -> Mapping[str, Column]:
        """The ring's rows in use."""
        return columns(self.remembered)

    def wholes(self) -> Mapping[str, Array]:
        """How many were ever put."""
        return {"num_put": np.array(self._num_put, np.int64)}

    def restore(self, state: State) -> None:
        """Become what `state` came from."""
        self._num_put = int(state["num_put"])
        if len(self):
            put(self._rows, slice(0, len(self)), from_columns(state))
        self.frequency[:] = np.bincount(self.remembered.targets, minlength=len(self.frequency))
        self.frequency[0] = 0
        self.tracker.clear()
