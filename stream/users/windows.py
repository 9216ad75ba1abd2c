"""The rolling windows of all users: arrays that grow and compiled loops; knows neither Kafka nor the model."""

from typing import NamedTuple, Self

import numpy as np

from models.compiled import Compiled, inlined
from models.features import WindowBatch, gap_buckets
from models.saving import Array
from stream.users.rows import Blocks, UserRows, place, taken_place
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
    """The last `size` events of each user in event-time order, oldest first; what is read of them is right-aligned.

    Events of equal time are ordered by kind and then by arrival, so that a window depends on its events alone and not
    on how topics or micro-batches interleave. Times are kept as ages relative to the user's newest event. A user takes
    memory as the window grows.

    Attributes:
        size: events kept for each user.
        rows: a row a user.
    """

    def __init__(self, size: int, value_filter: ValueFilter = "none", rows: int = 1_024) -> None:
        self.size = size
        self._value_filter = value_filter
        growing = {"slots": np.int32, "kinds": np.int8, "values": np.float16, "ages_ms": np.uint32}
        self.rows = UserRows({"newest_ms": (np.int64, ()), "num_events": (np.int64, ())}, rows, growing, size)

    def push(self, new: NewEvents, length: int) -> WindowBatch:
        """Insert events, one after the other.

        Returns:
            The newest `length` positions, at most `size`, before each event, as they were when it came.
        """
        before = _Positions.empty(len(new.users), length)
        _push(self._kept, new.as_bits(), before)
        return smooth(before.windows(), self._value_filter)

    def newest(self, users: Array, length: int) -> WindowBatch:
        """The newest `length` positions of each of `users`."""
        return self.until(users, np.zeros(len(users), np.int64), length)

    def until(self, users: Array, later: Array, length: int) -> WindowBatch:
        """The `length` positions up to and with the one that has `later` newer ones, for each of `users`."""
        gathered = _Positions.empty(len(users), length)
        _gather(self._kept, users.astype(np.int32), later.astype(np.int64), gathered)
        return smooth(gathered.windows(), self._value_filter)

    def of(self, user: int) -> tuple[Array, Array, Array]:
        """One user's window, oldest first: slots, kinds and event times in ms, `[events]` each."""
        there = slice(min(int(self.rows["num_events"][user]), self.size))
        kept = {name: column[0, there] for name, column in self.rows.positions_of(np.array([user])).items()}
        times_ms = self.rows["newest_ms"][user] - kept["ages_ms"].astype(np.int64)
        return kept["slots"], kept["kinds"], times_ms

    def newest_ms(self, users: Array) -> Array:
        """`[n]` int64, event time of each user's newest event."""
        return self.rows["newest_ms"][users]

    def num_events(self, users: Array) -> Array:
        """`[n]` int64, events of each user that have counted so far."""
        return self.rows["num_events"][users]

    def forget_slots(self, slots: Array) -> None:
        """Let `FORGOTTEN_SLOT` stand for items (positive) or queries (negative) that have left the vocabulary."""
        if len(slots):
            kept = self.rows.taken("slots")
            is_gone = np.isin(kept, slots)
            kept[is_gone] = FORGOTTEN_SLOT
            self.rows.touch(self.rows.blocks.owners[np.flatnonzero(is_gone.any(1))])

    @property
    def _kept(self) -> "_Kept":
        rows = self.rows
        positions = rows["slots"], rows["kinds"], rows["values"].view(np.uint16), rows["ages_ms"]
        return _Kept(rows.blocks, *positions, rows["newest_ms"], rows["num_events"], self.size)


class _Kept(NamedTuple):
    """All windows as compiled loops see them; values are the bits of float16.

    Attributes:
        blocks: where a user's positions are in the next four.
        slots: int32.
        kinds: int8.
        values: uint16.
        ages_ms: uint32.
        newest_ms: `[users]` int64.
        num_events: `[users]` int64.
        size: events of a window at the most.
    """

    blocks: Blocks
    slots: Array
    kinds: Array
    values: Array
    ages_ms: Array
    newest_ms: Array
    num_events: Array
    size: int


class _Positions(NamedTuple):
    """Some windows' positions as they are read, right-aligned, `[windows, length]` each.

    Attributes:
        slots: int32.
        kinds: int8.
        values: uint16, the bits of float16.
        gaps_ms: int64, from the position before, -1 for none.
    """

    slots: Array
    kinds: Array
    values: Array
    gaps_ms: Array

    @classmethod
    def empty(cls, count: int, length: int) -> Self:
        """Room for what is read."""
        shape = count, length
        return cls(np.zeros(shape, np.int32), np.zeros(shape, np.int8), np.zeros(shape, np.uint16), np.full(shape, -1))

    def windows(self) -> WindowBatch:
        """What was read."""
        return WindowBatch(self.slots, self.kinds, gap_buckets(self.gaps_ms), self.values.view(np.float16))


@inlined
def _length(kept: _Kept, user: int) -> int:
    """Every event enters a window that is not full."""
    return int(min(kept.num_events[user], kept.size))


@inlined
def _copy(kept: _Kept, user: int, end: int, to: _Positions, row: int) -> None:
    """A user's positions before `end`, to `row`."""
    length = to.slots.shape[1]
    for position in range(max(end - length, 0), end):
        at, column = place(kept.blocks, user, position), length - end + position
        to.slots[row, column] = kept.slots[at]
        to.kinds[row, column] = kept.kinds[at]
        to.values[row, column] = kept.values[at]
        if position > 0:
            before = place(kept.blocks, user, position - 1)
            to.gaps_ms[row, column] = np.int64(kept.ages_ms[before]) - np.int64(kept.ages_ms[at])


@Compiled
def _gather(kept: _Kept, users: Array, later: Array, to: _Positions) -> None:
    for i in range(len(users)):
        _copy(kept, users[i], _length(kept, users[i]) - later[i], to, i)


@inlined
def _put_value(kept: _Kept, at: int, value: int) -> None:
    if kept.values[at] != value:  # who sends no values shall not pay for their memory
        kept.values[at] = value


@inlined
def _put(kept: _Kept, at: int, new: NewEvents, event: int, age_ms: int) -> None:
    kept.slots[at] = new.slots[event]
    kept.kinds[at] = new.kinds[event]
    kept.ages_ms[at] = age_ms
    _put_value(kept, at, new.values[event])


@inlined
def _move(kept: _Kept, user: int, position: int, to: int) -> None:
    before, at = place(kept.blocks, user, position), place(kept.blocks, user, to)
    kept.slots[at] = kept.slots[before]
    kept.kinds[at] = kept.kinds[before]
    kept.ages_ms[at] = kept.ages_ms[before]
    _put_value(kept, at, kept.values[before])


@inlined
def _grow_older(kept: _Kept, user: int, time_ms: int) -> None:
    """Ages are measured from the newest event."""
    shift = time_ms - kept.newest_ms[user]
    if shift > 0:
        kept.newest_ms[user] = time_ms
        for position in range(_length(kept, user)):
            at = place(kept.blocks, user, position)
            kept.ages_ms[at] = min(kept.ages_ms[at] + shift, MAX_AGE_MS)


@inlined
def _num_later(kept: _Kept, user: int, age_ms: int, kind: int) -> int:
    """How many events of a window come after one of this age and kind that arrives now."""
    count = 0
    for position in range(_length(kept, user)):
        at = place(kept.blocks, user, position)
        there = kept.ages_ms[at]
        count += there < age_ms or (there == age_ms and kept.kinds[at] > kind)
    return count


@Compiled
def _push(kept: _Kept, new: NewEvents, before: _Positions) -> None:
    for i in range(len(new.users)):
        user, time_ms = new.users[i], new.times_ms[i]
        _grow_older(kept, user, time_ms)
        age_ms = min(kept.newest_ms[user] - time_ms, MAX_AGE_MS)
        length = _length(kept, user)
        end = length - _num_later(kept, user, age_ms, new.kinds[i])
        if length < kept.size:
            taken_place(kept.blocks, user, length)
            for position in range(length, end, -1):
                _move(kept, user, position - 1, position)
        else:  # the oldest event leaves; -1 for one that is older than the whole window
            end -= 1
            for position in range(end):
                _move(kept, user, position + 1, position)
        if end >= 0:
            _put(kept, place(kept.blocks, user, end), new, i, age_ms)
        kept.num_events[user] += 1
        _copy(kept, user, max(end, 0), before, i)
