"""For each item the neighbours it was seen with most, with counts that decay, in fixed slots. Compiled loops."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from models.compiled import Compiled, inlined
from models.saving import Array, Column, Saved, State

LARGEST_UNIT = 1e20  # weights grow instead of all old ones shrinking; beyond this everything is scaled down, once


class _Kept(NamedTuple):
    """`[items, num_slots]` each: int32 neighbours and their float32 counts."""

    ids: Array
    counts: Array


class NeighbourCounts(Saved):
    """For each item its `num_slots` heaviest neighbours with decayed counts; the lightest gives way to a new one."""

    def __init__(self, num_items: int, num_slots: int, half_life: int) -> None:
        super().__init__()
        self.end = 0
        self.ids = np.zeros((num_items, num_slots), np.int32)
        self.counts = np.zeros((num_items, num_slots), np.float32)
        self._half_life = half_life
        self.unit = 1.0

    def of(self, items: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Neighbours of items of any shape: ids and shares `[..., num_slots]`, log totals `[...]`."""
        counts = self.counts[items]
        totals = counts.sum(-1)
        shares = counts / np.maximum(totals, 1e-30)[..., None]
        return self.ids[items], shares, np.log1p(totals / self.unit)

    def add(self, sources: np.ndarray, neighbours: np.ndarray, weights: np.ndarray) -> None:
        """Count `neighbours[i]` as a neighbour of `sources[i]`; pairs may repeat."""
        touched = np.empty(len(sources), np.int64)
        _add(self._kept, sources, neighbours, (weights * self.unit).astype(np.float32), touched)
        self.end = max(self.end, 1 + int(sources.max(initial=-1)))
        self.tracker.mark(touched)

    def draw(self, items: np.ndarray, weights: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """Neighbours drawn for rows of items: first which item is asked, by its weight, then which of its neighbours.

        Args:
            items: `[batch, lags]` int32, 0 for none.
            weights: `[lags]` float32.
            draws: `[2, batch, count]` float32, uniform in [0, 1).

        Returns:
            `[batch, count]` int32; 0 where the item that was asked has no neighbours.
        """
        drawn = np.zeros(draws.shape[1:], np.int32)
        _draw(self._kept, items, weights, draws, drawn)
        return drawn

    def age(self, num_events: int) -> None:
        """Let counts lose weight."""
        self.unit *= 2 ** (num_events / self._half_life)
        if self.unit > LARGEST_UNIT:
            self.counts /= np.float32(self.unit)
            self.unit = 1.0
            self.tracker.mark(np.arange(self.end * self.ids.shape[1]))

    def forget(self, slots: np.ndarray, is_gone: np.ndarray) -> None:
        """Clear the rows of items that left, and their traces in the rows of others."""
        is_trace = is_gone[self.ids[: self.end]]
        is_trace[slots[slots < self.end]] = True
        self.counts[: self.end][is_trace] = 0
        self.ids[: self.end][is_trace] = 0
        self.tracker.mark(np.flatnonzero(is_trace))

    def tracked(self) -> Mapping[str, Column]:
        """Neighbours and counts of the items in use, one after the other."""
        return {"ids": self.ids[: self.end].reshape(-1), "counts": self.counts[: self.end].reshape(-1)}

    def wholes(self) -> Mapping[str, Array]:
        """The weight of a count of now."""
        return {"unit": np.array(self.unit, np.float64)}

    def restore(self, state: State) -> None:
        """Become what `state` came from."""
        num_slots = self.ids.shape[1]
        self.end = len(state.get("ids", ())) // num_slots
        for column, saved in ((self.ids, state.get("ids")), (self.counts, state.get("counts"))):
            column[self.end :] = 0
            if saved is not None:
                column[: self.end] = saved.reshape(self.end, num_slots)
        self.unit = float(state["unit"])
        self.tracker.clear()

    @property
    def _kept(self) -> _Kept:
        return _Kept(self.ids, self.counts)


@Compiled
def _add(kept: _Kept, sources: Array, neighbours: Array, gained: Array, touched: Array) -> None:
    ids, counts = kept.ids, kept.counts
    num_slots = ids.shape[1]
    for i in range(len(sources)):
        source, neighbour = sources[i], neighbours[i]
        at, lightest = -1, 0
        for slot in range(num_slots):
            if ids[source, slot] == neighbour:
                at = slot
                break
            if counts[source, slot] < counts[source, lightest]:
                lightest = slot
        if at < 0:
            at = lightest
            ids[source, at] = neighbour
            counts[source, at] = 0
        counts[source, at] += gained[i]
        touched[i] = source * np.int64(num_slots) + at


@inlined
def _pick(weights: Array, draw: float) -> int:
    """An index, drawn in proportion to its weight; -1 where all weights are 0."""
    left = draw * weights.sum()
    at = -1
    for i in range(len(weights)):
        if weights[i] > 0:
            at = i
            left -= weights[i]
            if left < 0:
                break
    return at


@Compiled
def _draw(kept: _Kept, items: Array, weights: Array, draws: Array, drawn: Array) -> None:
    for i in range(len(items)):
        of_lags = np.where(items[i] > 0, weights, np.float32(0))
        for j in range(drawn.shape[1]):
            lag = _pick(of_lags, draws[0, i, j])
            source = items[i, lag] if lag >= 0 else 0
            at = _pick(kept.counts[source], draws[1, i, j])
            drawn[i, j] = kept.ids[source, at] if at >= 0 else 0
