"""The rolling windows of all users: arrays that grow and compiled loops; knows neither Kafka nor the model."""

from typing import NamedTuple, Self

import numpy as np

from models.compiled import Compiled, Number, inlined
from models.inputs.features import WindowBatch, gap_buckets
from models.saving import Array
from stream.users.rows import BLOCK, Blocks, Columns, SavedForm, UserRows, place, saved_name, taken_place
from stream.users.values import ValueFilter, smooth

MAX_AGE_MS = 2**32 - 1  # 49.7 days; older positions keep their order but no longer their distance
FORGOTTEN_SLOT = 1  # stands for an item or query that has left; a shared fallback row of the model
AGE_BITS, KIND_BITS = 32, 2  # of a position, under its slot


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
        growing = {"positions": np.int64, "values": np.float16}
        fixed = {"newest_ms": (np.int64, ()), "num_events": (np.uint32, ())}
        self.rows = UserRows(fixed, rows, growing, size, SavedForm(_as_saved, _as_kept))

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
        positions = self.rows.positions_of(np.array([user]))["positions"][0, there]
        return slot_of(positions), kind_of(positions), self.rows["newest_ms"][user] - age_of(positions)

    def newest_ms(self, users: Array) -> Array:
        """`[n]` int64, event time of each user's newest event."""
        return self.rows["newest_ms"][users]

    def num_events(self, users: Array) -> Array:
        """`[n]` int64, events of each user that have counted so far."""
        return self.rows["num_events"][users].astype(np.int64)

    def forget_slots(self, slots: Array) -> None:
        """Let `FORGOTTEN_SLOT` stand for items (positive) or queries (negative) that have left the vocabulary."""
        if len(slots):
            lowest = int(slots.min())
            is_gone = np.zeros(int(slots.max()) + 1 - lowest, bool)
            is_gone[slots - lowest] = True
            has_changed = np.zeros(len(self.rows.blocks.free), bool)
            _forget(self._kept, lowest, is_gone, has_changed)
            of_row = self.rows.blocks.of_row[: self.rows.end]
            self.rows.touch(np.flatnonzero(has_changed[of_row].any(1)))

    @property
    def _kept(self) -> "_Kept":
        rows = self.rows
        values = rows["values"].view(np.uint16)
        return _Kept(rows.blocks, rows["positions"], values, rows["newest_ms"], rows["num_events"], self.size)


def _as_saved(kept: Columns) -> Columns:
    """Slots, kinds and ages are saved apart."""
    positions = kept[saved_name("positions")]
    return {
        "newest_ms": kept["newest_ms"],
        "num_events": kept["num_events"].astype(np.int64),
        saved_name("slots"): slot_of(positions).astype(np.int32),
        saved_name("kinds"): kind_of(positions).astype(np.int8),
        saved_name("values"): kept[saved_name("values")],
        saved_name("ages_ms"): age_of(positions).astype(np.uint32),
    }


def _as_kept(saved: Columns) -> Columns:
    slots, kinds, ages_ms = (saved[saved_name(name)].astype(np.int64) for name in ("slots", "kinds", "ages_ms"))
    return {**saved, saved_name("positions"): position_of(slots, kinds, ages_ms)}


@inlined
def position_of(slot: Number, kind: Number, age_ms: Number) -> Number:
    """What is kept of an event, in one number; a position that nobody has written is 0."""
    return (((slot << KIND_BITS) | kind) << AGE_BITS) | age_ms


@inlined
def slot_of(position: Number) -> Number:
    """Negative ones are of queries."""
    return position >> (KIND_BITS + AGE_BITS)


@inlined
def kind_of(position: Number) -> Number:
    """An index into `KINDS`."""
    return (position >> AGE_BITS) & (2**KIND_BITS - 1)


@inlined
def age_of(position: Number) -> Number:
    """Milliseconds from the event to the user's newest one."""
    return position & (2**AGE_BITS - 1)


class _Kept(NamedTuple):
    """All windows as compiled loops see them.

    Attributes:
        blocks: where a user's positions are in the next two.
        positions: int64, see `position_of`.
        values: uint16, the bits of float16.
        newest_ms: `[users]` int64.
        num_events: `[users]` uint32.
        size: events of a window at the most.
    """

    blocks: Blocks
    positions: Array
    values: Array
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
    start = max(end - length, 0)
    before = kept.positions[place(kept.blocks, user, max(start - 1, 0))]
    for number in range(start, end):
        at, column = place(kept.blocks, user, number), length - end + number
        position = kept.positions[at]
        to.slots[row, column] = slot_of(position)
        to.kinds[row, column] = kind_of(position)
        to.values[row, column] = kept.values[at]
        if number > 0:
            to.gaps_ms[row, column] = age_of(before) - age_of(position)
        before = position


@Compiled
def _forget(kept: _Kept, lowest: int, is_gone: Array, has_changed: Array) -> None:
    """`is_gone`: of slots from `lowest` on; `has_changed`: of blocks, what becomes of them."""
    for at in range(kept.blocks.counts[0] * BLOCK):
        position = kept.positions[at]
        slot = slot_of(position)
        if lowest <= slot < lowest + len(is_gone) and is_gone[slot - lowest]:
            kept.positions[at] = position_of(FORGOTTEN_SLOT, kind_of(position), age_of(position))
            has_changed[at // BLOCK] = True


@Compiled
def _gather(kept: _Kept, users: Array, later: Array, to: _Positions) -> None:
    for i in range(len(users)):
        _copy(kept, users[i], _length(kept, users[i]) - later[i], to, i)


@inlined
def _put_value(kept: _Kept, at: int, value: int) -> None:
    if kept.values[at] != value:  # who sends no values shall not pay for their memory
        kept.values[at] = value


@inlined
def _move(kept: _Kept, before: int, at: int) -> None:
    kept.positions[at] = kept.positions[before]
    _put_value(kept, at, kept.values[before])


@inlined
def _move_up(kept: _Kept, user: int, start: int, length: int) -> None:
    """Make room at `start`."""
    at = taken_place(kept.blocks, user, length)
    for number in range(length - 1, start - 1, -1):
        before = place(kept.blocks, user, number)
        _move(kept, before, at)
        at = before


@inlined
def _move_down(kept: _Kept, user: int, end: int) -> None:
    """Make room at `end`, in place of the oldest."""
    for first in range(0, end, BLOCK):
        start = place(kept.blocks, user, first)
        for at in range(start, start + min(BLOCK - 1, end - first)):
            _move(kept, at + 1, at)
        if first + BLOCK <= end:
            _move(kept, place(kept.blocks, user, first + BLOCK), start + BLOCK - 1)


@inlined
def _grow_older(kept: _Kept, user: int, time_ms: int) -> None:
    """Ages are measured from the newest event."""
    shift, length = time_ms - kept.newest_ms[user], _length(kept, user)
    if shift > 0:
        kept.newest_ms[user] = time_ms
        for first in range(0, length, BLOCK):
            start = place(kept.blocks, user, first)
            for at in range(start, start + min(BLOCK, length - first)):
                kept.positions[at] += min(shift, MAX_AGE_MS - age_of(kept.positions[at]))


@inlined
def _num_later(kept: _Kept, user: int, age_ms: int, kind: int) -> int:
    """How many events of a window come after one of this age and kind that arrives now."""
    count, length = 0, _length(kept, user)
    for first in range(0, length, BLOCK):
        start = place(kept.blocks, user, first)
        for at in range(start, start + min(BLOCK, length - first)):
            position = kept.positions[at]
            there = age_of(position)
            count += there < age_ms or (there == age_ms and kind_of(position) > kind)
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
            _move_up(kept, user, end, length)
        else:
            end -= 1  # the oldest event leaves; -1 for one that is older than the whole window
            _move_down(kept, user, end)
        if end >= 0:
            at = place(kept.blocks, user, end)
            kept.positions[at] = position_of(np.int64(new.slots[i]), np.int64(new.kinds[i]), age_ms)
            _put_value(kept, at, new.values[i])
        kept.num_events[user] += 1
        _copy(kept, user, max(end, 0), before, i)
