"""What a step is given: examples as indices into the few table rows that they touch. Plain numpy, static shapes."""

from operator import itemgetter
from typing import NamedTuple

import numpy as np

from models.config import ModelConfig
from models.inputs.features import PURCHASE, Examples, WindowBatch
from models.inputs.layout import Array, Layout
from models.inputs.packing import Packed, distinct, pack

PADDED_SIZES = (32, 256, 1024)  # windows or items of one call; more are done in chunks of the largest
MANY_WINDOWS = 1_024  # reading so many takes milliseconds: two more rooms save some of them
FEW_WINDOWS = 128  # so few are read in a millisecond whatever their room is; each room is a compilation


class Positions(NamedTuple):
    """Windows as the network reads them.

    Attributes:
        slots: `[events]` int32, see `network.event_vectors`.
        query_tokens: `[queries, tokens]` int32 rows.
        kinds: `[events]` int8.
        gaps: `[events]` uint8.
        values: `[events]` float16.
        layout: where they stand.
    """

    slots: Array
    query_tokens: Array
    kinds: Array
    gaps: Array
    values: Array
    layout: Layout


class Candidates(NamedTuple):
    """Sampled items shared by all examples of a step.

    Attributes:
        slots: `[samples]` int32.
        log_q: `[samples]` float32, log of each item's expected occurrences in the sample.
    """

    slots: Array
    log_q: Array


class StepBatch(NamedTuple):
    """Examples for one step; all slots and tokens are indices into `rows`.

    Attributes:
        rows: `[rows]` int32, distinct rows of the table, first row 0; rows off its end are padding.
        positions: the windows.
        targets: `[batch]` int32.
        soft_targets: `[batch, soft]` int32, further positives, 0 for none.
        weights: `[batch]` float32, 0 for padding.
        negatives: `[samples]`.
    """

    rows: Array
    positions: Positions
    targets: Array
    soft_targets: Array
    weights: Array
    negatives: Candidates


def pad_rows(array: np.ndarray, count: int, fill: float = 0) -> np.ndarray:
    """`array` with rows of `fill` appended up to `count`."""
    if len(array) == count:
        return array
    padded = np.full((count, *array.shape[1:]), fill, array.dtype)
    padded[: len(array)] = array
    return padded


def padded_parts(count: int) -> list[tuple[slice, int]]:
    """Slices of at most the largest padded size, each with the size that it is padded to."""
    largest = PADDED_SIZES[-1]
    starts = range(0, count, largest)
    lengths = [min(largest, count - start) for start in starts]
    sizes = [next(size for size in PADDED_SIZES if size >= length) for length in lengths]
    return [(slice(start, start + largest), size) for start, size in zip(starts, sizes, strict=True)]


class Room(NamedTuple):
    """What a call is padded to.

    Attributes:
        events: in all windows together.
        queries: different ones.
        is_shared: whether three fifths of the table rows that examples name must do, since most name the same ones.
    """

    events: int
    queries: int
    is_shared: bool = True

    def holds(self, events: int, queries: int) -> bool:
        """Whether there is place for so many."""
        return events <= self.events and queries <= self.queries


def rooms(batch: int, time: int) -> tuple[Room, ...]:
    """The few sizes that a batch of windows comes in, each enough for what the one before holds, the last for any.

    Newcomers' windows, usual ones, full ones, full ones of searchers, and anything. Room for a search costs as much as
    for several events, so that full windows without it are learned in seven eighths of the time. Many windows have two
    more sizes between the first three.
    """
    everything, half, usual, quarter, few = (-(-batch * time // part) for part in (1, 2, 3, 4, 6))
    if batch <= FEW_WINDOWS:
        return (Room(everything, everything, is_shared=False),)
    sizes = [(few, batch // 4), (usual, batch), (everything, batch), (everything, usual)]
    if batch >= MANY_WINDOWS:
        sizes += [(quarter, batch // 2), (half, batch)]
    in_order = sorted(sizes, key=itemgetter(0))
    some = (Room(events, max(1, min(queries, events))) for events, queries in in_order)
    return *some, Room(everything, everything, is_shared=False)


def rooms_for(num_events: int, num_queries: int, batch: int, time: int) -> list[Room]:
    """Those of `rooms` that hold so many events and different queries, the least first."""
    return [room for room in rooms(batch, time) if room.holds(num_events, num_queries)]


class BatchBuilder:
    """Turns windows and examples into step inputs of few shapes.

    Args:
        config: the settings.
        tokens: `[1 + max_queries, tokens_per_query]` int32, kept current by its owner.
        num_item_rows: rows of the table before the query tokens.

    Attributes:
        num_rows: of items and query tokens, in the table.
        num_table_rows: with those that only make it divide evenly over the devices; they stay zero.
    """

    def __init__(self, config: ModelConfig, tokens: np.ndarray, num_item_rows: int) -> None:
        self._config = config
        self._tokens = tokens
        self._token_offset = num_item_rows - 1
        self.num_rows = num_item_rows + config.num_query_tokens
        self.num_table_rows = self.num_rows + -self.num_rows % config.num_devices
        self._numbers = np.zeros(max(self.num_rows, len(tokens)), np.int32)

    def positions(self, windows: WindowBatch, batch: int, room: Room | None = None) -> Positions:
        """Windows padded to `batch` rows, in the least room that will do; slots and tokens become table rows."""
        packed = pack(windows, batch, self._numbers)
        fitting = rooms_for(packed.num_events, packed.num_queries, batch, windows.slots.shape[1])
        return self._positions(packed, room or fitting[0])

    def _positions(self, packed: Packed, room: Room) -> Positions:
        tokens = self._tokens[packed.queries[: room.queries]]
        slots, kinds, gaps, values = (column[: room.events] for column in packed.events)
        at, places = packed.layout
        return Positions(
            slots,
            np.where(tokens > 0, tokens + self._token_offset, 0).astype(np.int32),
            kinds,
            gaps,
            values.view(np.float16),
            Layout(np.where(at < 0, np.int32(room.events), at), places[: room.events]),
        )

    def weights(self, examples: Examples) -> np.ndarray:
        """What each example counts: `[batch]` float32, 0 without a target or with an empty window."""
        is_real = (examples.targets > 0) & (examples.windows.slots != 0).any(1)
        by_kind = np.where(examples.kinds == PURCHASE, self._config.purchase_weight, 1.0)
        return np.where(is_real, by_kind, 0.0).astype(np.float32)

    def step(
        self, examples: Examples, soft_targets: np.ndarray, negatives: Candidates, room: Room | None = None
    ) -> StepBatch:
        """Examples padded to the batch size, in `room` or the least that will do for windows and table rows."""
        size, time = self._config.batch_size, examples.windows.slots.shape[1]
        packed = pack(examples.windows, size, self._numbers)
        fitting = [room] if room else rooms_for(packed.num_events, packed.num_queries, size, time)
        candidates = (self._step_in(room, packed, examples, soft_targets, negatives) for room in fitting)
        return next(batch for batch in candidates if batch)

    def _step_in(
        self, room: Room, packed: Packed, examples: Examples, soft_targets: np.ndarray, negatives: Candidates
    ) -> StepBatch | None:
        """None where the rows are too many."""
        size = self._config.batch_size
        positions = self._positions(packed, room)
        items = np.maximum(positions.slots, 0)
        targets = pad_rows(examples.targets, size)
        soft_targets = pad_rows(soft_targets, size)
        rows, (items, tokens, targets, soft_targets, samples) = self._localise(
            items, positions.query_tokens, targets, soft_targets, negatives.slots
        )
        most = positions.slots.size + size + soft_targets.size + len(negatives.slots) + 1
        most += min(positions.query_tokens.size, self._config.num_query_tokens)
        if room.is_shared:
            most = most * 3 // 5
        if len(rows) > most:
            return None
        padding = np.arange(self.num_table_rows, self.num_table_rows + most - len(rows), dtype=np.int32)
        return StepBatch(
            np.concatenate([rows, padding]),
            positions._replace(slots=np.where(positions.slots < 0, positions.slots, items), query_tokens=tokens),
            targets,
            soft_targets,
            pad_rows(self.weights(examples), size),
            negatives._replace(slots=samples),
        )

    def _localise(self, *groups: Array) -> tuple[np.ndarray, list[np.ndarray]]:
        """The distinct rows in order of appearance, row 0 first, and the groups as indices into them."""
        ids = np.concatenate([np.zeros(1, np.int32), *(np.ravel(group) for group in groups)])
        rows, at = distinct(ids, self._numbers)
        ends = np.cumsum([group.size for group in groups])
        parts = np.split(at[1:], ends[:-1])
        return rows, [part.reshape(group.shape) for part, group in zip(parts, groups, strict=True)]
