"""The rolling windows of all users: struct of arrays, a row a user. Pure numpy; knows neither Kafka nor the model."""

import numpy as np

from models.features import WindowBatch, gap_buckets
from models.saving import Array
from stream.users.rows import UserRows
from stream.users.values import ValueFilter, smooth

MAX_AGE_MS = 2**32 - 1  # 49.7 days; older positions keep their order but no longer their distance
FORGOTTEN_SLOT = 1  # stands for an item or query that has left; a shared fallback row of the model


class Windows:
    """The last `size` events of each user in event-time order, oldest first, right-aligned.

    Events of equal time are ordered by kind and then by arrival, so that a window depends on its events alone and not
    on how topics or micro-batches interleave. Times are kept as ages relative to the user's newest event.

    Attributes:
        size: events kept for each user.
        rows: a row a user.
    """

    def __init__(self, size: int, value_filter: ValueFilter = "none", rows: int = 1_024) -> None:
        self.size = size
        self._value_filter = value_filter
        self.rows = UserRows(
            {
                "slots": (np.int32, (size,)),
                "kinds": (np.int8, (size,)),
                "values": (np.float16, (size,)),
                "ages_ms": (np.uint32, (size,)),
                "newest_ms": (np.int64, ()),
                "num_events": (np.int64, ()),
            },
            rows,
        )

    def push(self, users: Array, slots: Array, kinds: Array, times_ms: Array, values: Array) -> Array:
        """Insert one event for each of some different users.

        Args:
            users: `[n]` rows, no two equal.
            slots: `[n]` int32, item slots positive, query slots negative.
            kinds: `[n]` int8.
            times_ms: `[n]` int64 event times.
            values: `[n]` float16.

        Returns:
            `[n]` int64, the number of positions that come after each event: 0 for one that is the newest, `size` for
            one that is older than a full window.
        """
        newest = np.maximum(self.rows["newest_ms"][users], times_ms)
        self._age(users, newest)
        ages = np.minimum(newest - times_ms, MAX_AGE_MS).astype(np.uint32)
        later = self._count_later(users, ages, kinds)
        source, is_new = self._shifted(later)
        for name, new in (("slots", slots), ("kinds", kinds), ("values", values), ("ages_ms", ages)):
            array = self.rows[name]
            array[users] = np.where(is_new, new[:, None], np.take_along_axis(array[users], source, 1))
        self.rows["newest_ms"][users] = newest
        self.rows["num_events"][users] += 1
        return later

    def before(self, users: Array, later: Array, length: int) -> WindowBatch:
        """The newest `length` positions before the events that were just pushed.

        Args:
            users: `[n]` rows.
            later: `[n]`, what `push` returned for them.
            length: positions wanted, at most `size`.
        """
        return self._gather(users, self.size - 1 - np.minimum(later, self.size - 1), length)

    def newest(self, users: Array, length: int) -> WindowBatch:
        """The newest `length` positions of each of `users`."""
        return self._gather(users, np.full(len(users), self.size), length)

    def until(self, users: Array, later: Array, length: int) -> WindowBatch:
        """The `length` positions up to and with the one that has `later` newer ones, for each of `users`."""
        return self._gather(users, self.size - later, length)

    def of(self, user: int) -> tuple[Array, Array, Array]:
        """One user's window, oldest first: slots, kinds and event times in ms, `[events]` each."""
        there = self.rows["slots"][user] != 0
        times_ms = self.rows["newest_ms"][user] - self.rows["ages_ms"][user].astype(np.int64)
        return self.rows["slots"][user, there], self.rows["kinds"][user, there], times_ms[there]

    def newest_ms(self, users: Array) -> Array:
        """`[n]` int64, event time of each user's newest event."""
        return self.rows["newest_ms"][users]

    def num_events(self, users: Array) -> Array:
        """`[n]` int64, events of each user that have counted so far."""
        return self.rows["num_events"][users]

    def forget_slots(self, slots: Array) -> None:
        """Let `FORGOTTEN_SLOT` stand for items (positive) or queries (negative) that have left the vocabulary."""
        if len(slots):
            kept = self.rows.in_use("slots")
            is_gone = np.isin(kept, slots)
            kept[is_gone] = FORGOTTEN_SLOT
            self.rows.touch(np.flatnonzero(is_gone.any(1)))

    def _age(self, users: Array, newest: Array) -> None:
        """Measure the ages of `users` from `newest` on."""
        shift = newest - self.rows["newest_ms"][users]
        moved = users[shift > 0]
        ages, is_there = self.rows["ages_ms"], self.rows["slots"][moved] != 0
        ages[moved] = np.where(is_there, np.minimum(ages[moved] + shift[shift > 0, None], MAX_AGE_MS), 0)

    def _count_later(self, users: Array, ages: Array, kinds: Array) -> Array:
        there, age, kind = self.rows["ages_ms"][users], ages[:, None], kinds[:, None]
        is_later = (there < age) | ((there == age) & (self.rows["kinds"][users] > kind))
        return np.count_nonzero(is_later & (self.rows["slots"][users] != 0), axis=1)

    def _shifted(self, later: Array) -> tuple[Array, Array]:
        """For each position where its content comes from, and whether it is the new event: both `[n, size]`."""
        column = np.arange(self.size)
        target = (self.size - 1 - later)[:, None]
        return np.where(column < target, np.minimum(column + 1, self.size - 1), column), column == target

    def _gather(self, users: Array, ends: Array, length: int) -> WindowBatch:
        """`length` positions that end before column `ends`, and the gap of each to the one before it."""
        columns = ends[:, None] + np.arange(-length, 0)
        rows = users[:, None]
        exists = columns >= 0
        at = np.maximum(columns, 0)
        slots = np.where(exists, self.rows["slots"][rows, at], 0)
        before = np.maximum(at - 1, 0)
        has_before = (at > 0) & (self.rows["slots"][rows, before] != 0) & (slots != 0)
        gap_ms = self.rows["ages_ms"][rows, before].astype(np.int64) - self.rows["ages_ms"][rows, at]
        windows = WindowBatch(
            slots,
            np.where(exists, self.rows["kinds"][rows, at], 0).astype(np.int8),
            gap_buckets(np.where(has_before, gap_ms, -1)),
            np.where(exists, self.rows["values"][rows, at], 0).astype(np.float16),
        )
        return smooth(windows, self._value_filter)
