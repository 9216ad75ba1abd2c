"""For each item the neighbours it was seen with most, with counts that decay, in fixed slots. Plain numpy."""

from collections.abc import Mapping

import numpy as np

from models.saving import Array, Column, Saved, State

LARGEST_UNIT = 1e20  # weights grow instead of all old ones shrinking; beyond this everything is scaled down, once


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
        keys, inverse = np.unique(sources.astype(np.int64) * len(self.ids) + neighbours, return_inverse=True)
        gained = np.bincount(inverse, weights * self.unit).astype(np.float32)
        source, neighbour = np.divmod(keys, len(self.ids))
        is_same = self.ids[source] == neighbour[:, None]
        at = is_same.argmax(1)
        known = is_same[np.arange(len(at)), at]
        self.counts[source[known], at[known]] += gained[known]
        self._mark(source[known], at[known])
        self._admit(source[~known], neighbour[~known], gained[~known])

    def _admit(self, source: np.ndarray, neighbour: np.ndarray, gained: np.ndarray) -> None:
        """Distinct new pairs, sorted by source: the r-th of a source takes its r-th lightest slot."""
        if not len(source):
            return
        rank = np.arange(len(source)) - np.searchsorted(source, source)
        counts = self.counts[source]
        at = counts.argmin(1)
        later = np.flatnonzero(rank)
        order = counts[later].argsort(1, kind="stable")
        at[later] = order[np.arange(len(later)), np.minimum(rank[later], counts.shape[1] - 1)]
        self.ids[source, at] = neighbour
        self.counts[source, at] = gained
        self._mark(source, at)

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

    def _mark(self, sources: np.ndarray, at: np.ndarray) -> None:
        self.end = max(self.end, 1 + int(sources.max(initial=-1)))
        self.tracker.mark(sources.astype(np.int64) * self.ids.shape[1] + at)
