"""The rolling windows of all users: arrays and compiled loops, a row a user; knows neither Kafka nor the model."""

from typing import NamedTuple, Self

import numpy as np

from models.compiled import Compiled, inlined
from models.features import WindowBatch, gap_buckets
from models.saving import Array
from stream.users.rows import UserRows
from stream.users.values import ValueFilter, smooth

MAX_AGE_MS = 2**32 - 1  # 49.7 days; older positions keep their order but no longer their distance
FORGOTTEN_SLOT = 1  # stands for an item or query that has left; a shared fallback row of the model


class NewEvents(NamedTuple):
    """Events in the order in which they came, a column each, `[n]`.

    Attributes:
        users: int32 rows.
        slots: int32, item slots positive, query slots negative.
        kinds: int8.
        times_ms: int64 event times.
        values: float16.
    """

    users: Array
    slots: Array
    kinds: Array
    times_ms: Array
    values: Array

    def as_bits(self) -> Self:
        """The same with the values as compiled loops can copy them."""
        return self._replace(values=self.values.view(np.uint16))


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

    def push(self, new: NewEvents, length: int) -> WindowBatch:
        """Insert events, one after the other.

        Returns:
            The newest `length` positions, at most `size`, before each event, as they were when it came.
        """
        before = _Positions.empty(len(new.users), length)
        _push(self._kept, self.rows["newest_ms"], self.rows["num_events"], new.as_bits(), before)
        return smooth(before.windows(), self._value_filter)

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

    def _gather(self, users: Array, ends: Array, length: int) -> WindowBatch:
        """`length` positions that end before column `ends`, and the gap of each to the one before it."""
        gathered = _Positions.empty(len(users), length)
        _gather(self._kept, users.astype(np.int32), ends.astype(np.int64), gathered)
        return smooth(gathered.windows(), self._value_filter)

    @property
    def _kept(self) -> "_Positions":
        rows = self.rows
        return _Positions(rows["slots"], rows["kinds"], rows["values"].view(np.uint16), rows["ages_ms"])


class _Positions(NamedTuple):
    """Some windows' positions as compiled loops see them, `[windows, positions]` each; values are the bits of float16.

    Attributes:
        slots: int32.
        kinds: int8.
        values: uint16.
        times: of windows that are kept, uint32 ages in ms; of those that are gathered, int64 gaps, -1 for none.
    """

    slots: Array
    kinds: Array
    values: Array
    times: Array

    @classmethod
    def empty(cls, count: int, length: int) -> Self:
        """Room for what is gathered."""
        shape = count, length
        return cls(np.zeros(shape, np.int32), np.zeros(shape, np.int8), np.zeros(shape, np.uint16), np.full(shape, -1))

    def windows(self) -> WindowBatch:
        """What was gathered."""
        return WindowBatch(self.slots, self.kinds, gap_buckets(self.times), self.values.view(np.float16))


@inlined
def _copy(kept: _Positions, user: int, end: int, to: _Positions, row: int) -> None:
    """A user's positions before column `end`, to `row`."""
    length = to.slots.shape[1]
    for column in range(max(end - length, 0), end):
        at = length - end + column
        to.slots[row, at] = kept.slots[user, column]
        to.kinds[row, at] = kept.kinds[user, column]
        to.values[row, at] = kept.values[user, column]
        if column > 0 and kept.slots[user, column] != 0 and kept.slots[user, column - 1] != 0:
            to.times[row, at] = np.int64(kept.times[user, column - 1]) - np.int64(kept.times[user, column])


@Compiled
def _gather(kept: _Positions, users: Array, ends: Array, to: _Positions) -> None:
    for i in range(len(users)):
        _copy(kept, users[i], ends[i], to, i)


@Compiled
def _push(kept: _Positions, newest_ms: Array, num_events: Array, new: NewEvents, before: _Positions) -> None:
    slots, kinds, values, ages = kept.slots, kept.kinds, kept.values, kept.times
    size = slots.shape[1]
    for i in range(len(new.users)):
        user = new.users[i]
        shift = new.times_ms[i] - newest_ms[user]
        if shift > 0:  # ages are measured from the newest event
            newest_ms[user] += shift
            for column in range(size):
                if slots[user, column] != 0:
                    ages[user, column] = min(ages[user, column] + shift, MAX_AGE_MS)
        age = min(newest_ms[user] - new.times_ms[i], MAX_AGE_MS)
        num_later = 0
        for column in range(size):
            if slots[user, column] != 0:
                there = ages[user, column]
                num_later += there < age or (there == age and kinds[user, column] > new.kinds[i])
        place = size - 1 - num_later  # -1 for one that is older than a full window
        for column in range(place):
            slots[user, column] = slots[user, column + 1]
            kinds[user, column] = kinds[user, column + 1]
            values[user, column] = values[user, column + 1]
            ages[user, column] = ages[user, column + 1]
        if place >= 0:
            slots[user, place] = new.slots[i]
            kinds[user, place] = new.kinds[i]
            values[user, place] = new.values[i]
            ages[user, place] = age
        num_events[user] += 1
        _copy(kept, user, max(place, 0), before, i)
