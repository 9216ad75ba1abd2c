"""What stands in windows, event by event, and which table rows that names: compiled loops, no sorting."""

from typing import NamedTuple, Self

import numpy as np

from models.compiled import Compiled
from models.inputs.features import WindowBatch
from models.inputs.layout import Layout
from models.saving import Array


class Columns(NamedTuple):
    """Positions of windows, or events one after the other; `values` are the bits of float16."""

    slots: Array
    kinds: Array
    gaps: Array
    values: Array

    @classmethod
    def of(cls, windows: WindowBatch) -> Self:
        """The positions of windows."""
        slots, kinds, gaps, values = map(
            np.ascontiguousarray, (windows.slots, windows.kinds, windows.gaps, windows.values)
        )
        return cls(slots, kinds, gaps, values.view(np.uint16))


class Packed(NamedTuple):
    """The events of some windows, row by row, moved together to the right where empty positions lay between.

    Attributes:
        events: `[places]`; slots as `Positions` has them; the first `num_events` are events.
        layout: where they stand; -1 for none until a room is chosen.
        queries: `[places]` int32, the slots of different queries in order of appearance, then 0.
        num_events: of all windows together.
        num_queries: different ones.
    """

    events: Columns
    layout: Layout
    queries: Array
    num_events: int
    num_queries: int


def pack(windows: WindowBatch, batch: int, numbers: Array) -> Packed:
    """Pack windows as if there were `batch` of them.

    Args:
        windows: at most `batch`.
        batch: rows.
        numbers: int32 zeros for all query slots; zeros again afterwards.
    """
    time = windows.slots.shape[1]
    places = batch * time
    events = Columns(*(np.zeros(places, dtype) for dtype in (np.int32, np.int8, np.uint8, np.uint16)))
    layout = Layout(np.full((batch, time), -1, np.int32), np.full(places, places, np.int32))
    queries = np.zeros(places, np.int32)
    return Packed(events, layout, queries, *_pack(Columns.of(windows), numbers, events, layout, queries))


def distinct(ids: Array, numbers: Array) -> tuple[Array, Array]:
    """The different `ids` in order of appearance, and for each the index into them.

    Args:
        ids: `[n]` int32.
        numbers: int32 zeros for all that can be an id; zeros again afterwards.
    """
    rows, at = np.empty(len(ids), np.int32), np.empty(len(ids), np.int32)
    count = _distinct(ids, numbers, rows, at)
    return rows[:count], at


@Compiled
def _pack(windows: Columns, numbers: Array, events: Columns, layout: Layout, queries: Array) -> tuple[int, int]:
    num_events, num_queries = 0, 0
    count, time = windows.slots.shape
    for row in range(count):
        column = time - np.count_nonzero(windows.slots[row])
        for i in range(time):
            slot = windows.slots[row, i]
            if slot == 0:
                continue
            if slot < 0:
                if numbers[-slot] == 0:
                    queries[num_queries] = -slot
                    num_queries += 1
                    numbers[-slot] = num_queries
                slot = -numbers[-slot]
            events.slots[num_events] = slot
            events.kinds[num_events] = windows.kinds[row, i]
            events.gaps[num_events] = windows.gaps[row, i]
            events.values[num_events] = windows.values[row, i]
            layout.at[row, column] = num_events
            layout.places[num_events] = row * time + column
            column += 1
            num_events += 1
    numbers[queries[:num_queries]] = 0
    return num_events, num_queries


@Compiled
def _distinct(ids: Array, numbers: Array, rows: Array, at: Array) -> int:
    count = 0
    for i in range(len(ids)):
        if numbers[ids[i]] == 0:
            rows[count] = ids[i]
            count += 1
            numbers[ids[i]] = count
        at[i] = numbers[ids[i]] - 1
    numbers[rows[:count]] = 0
    return count
