"""Which users were erased, and when, so that old events do not bring them back. Pure."""

from collections.abc import Mapping

import numpy as np

from models.saving import Array, Column, Saved, State


class Erasures(Saved):
    """Erased users and their event times; the newest `capacity` of them.

    Remembering who was forgotten is the price of refusing what is replayed: an id and a time, nothing else.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self._capacity = capacity
        self._row_of: dict[str, int] = {}
        self._user_ids: list[str] = []
        self._erased_at_ms = np.zeros(capacity, np.int64)
        self._oldest = 0

    def __len__(self) -> int:
        return len(self._row_of)

    def put(self, user_id: str, erased_at_ms: int) -> None:
        """Remember an erasure; of two of the same user the later holds, in whatever order they come."""
        row = self._row_of.get(user_id)
        if row is None:
            row = self._free_row()
            self._user_ids[row], self._row_of[user_id] = user_id, row
            self._erased_at_ms[row] = erased_at_ms
        self._erased_at_ms[row] = max(int(self._erased_at_ms[row]), erased_at_ms)
        self.tracker.mark(np.array([row]))

    def cover(self, user_ids: Array, times_ms: Array) -> Array:
        """Which events are of before their user's erasure.

        Args:
            user_ids: `[n]` objects.
            times_ms: `[n]` int64 event times.

        Returns:
            `[n]` bool.
        """
        is_erased = np.zeros(len(user_ids), bool)
        if not self._row_of:
            return is_erased
        rows = np.fromiter((self._row_of.get(user_id, -1) for user_id in user_ids), np.int64, len(user_ids))
        known = np.flatnonzero(rows >= 0)
        is_erased[known] = times_ms[known] <= self._erased_at_ms[rows[known]]
        return is_erased

    def tracked(self) -> Mapping[str, Column]:
        """Users and times, a row an erasure."""
        return {"user_ids": self._user_ids, "erased_at_ms": self._erased_at_ms[: len(self._user_ids)]}

    def wholes(self) -> Mapping[str, Array]:
        """Which row is overwritten next."""
        return {"oldest": np.array(self._oldest, np.int64)}

    def restore(self, state: State) -> None:
        """Become what `state` came from; of more than `capacity` the oldest are forgotten."""
        user_ids = [user_id.decode() for user_id in state.get("user_ids", ())]
        times_ms = state.get("erased_at_ms", np.zeros(0, np.int64)).tolist()
        oldest = int(state.get("oldest", 0))
        self._row_of, self._user_ids, self._oldest = {}, [], 0
        in_order = [*range(oldest, len(user_ids)), *range(oldest)]
        for row in in_order[-self._capacity :]:
            self.put(user_ids[row], times_ms[row])
        if oldest == 0 and len(user_ids) <= self._capacity:
            self.tracker.clear()  # rows are where they were; else all of them are saved again

    def _free_row(self) -> int:
        if len(self._user_ids) < self._capacity:
            self._user_ids.append("")
            return len(self._user_ids) - 1
        row, self._oldest = self._oldest, (self._oldest + 1) % self._capacity
        del self._row_of[self._user_ids[row]]
        return row
