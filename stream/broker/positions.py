"""Where to read on in each partition, and whether what arrives continues there. Knows neither Faust nor events."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from faust.types import TP


@dataclass
class _Partition:
    expected: int
    """Next offset to be queued."""
    taken: int
    """Next offset to be taken by the updater; what lies between the two waits in the queue."""
    hole_before: int | None = None
    """First offset of a run that came where `expected` should have; if it comes again, the log itself has the hole."""


@dataclass(frozen=True)
class Accept:
    """The run continues the partition; its first `num_known` records have been seen."""

    num_known: int


@dataclass(frozen=True)
class Drop:
    """The run is of no use: all of it is known, or it comes after a hole that is being read again."""


@dataclass(frozen=True)
class SeekTo:
    """Records before the run are missing: drop it and read on from `offset`."""

    offset: int


class Positions:
    """The offsets of all partitions that this process has read.

    A run of records must begin where the last one ended. Records can get lost between fetch and agent when a rebalance
    cuts in, so a run that begins later is fetched again once from the expected offset; if the same offset comes first
    again, the log has an honest hole there (compaction, transaction markers) and is believed.
    """

    def __init__(self) -> None:
        self._of: dict[TP, _Partition] = {}

    def start_at(self, next_offset_of: Mapping[TP, int]) -> None:
        """Read on from here: what a checkpoint says, before anything is fetched."""
        self._of = {tp: _Partition(offset, offset) for tp, offset in next_offset_of.items()}

    def begin_at(self, next_offset_of: Mapping[TP, int]) -> None:
        """Read partitions that are not known yet from here, so that even their first batch can be missed."""
        for tp, offset in next_offset_of.items():
            self._of.setdefault(tp, _Partition(offset, offset))

    def seek_offsets(self) -> dict[TP, int]:
        """The next offset to be fetched of every known partition."""
        return {tp: partition.expected for tp, partition in self._of.items()}

    def arrive(self, tp: TP, offsets: range) -> Accept | Drop | SeekTo:
        """Judge a run of records with offsets in `offsets` (first to last + 1; holes within are honest)."""
        partition = self._of.setdefault(tp, _Partition(offsets.start, offsets.start))
        if offsets.stop <= partition.expected:
            return Drop()
        if offsets.start <= partition.expected:
            partition.hole_before = None
            return Accept(partition.expected - offsets.start)
        if partition.hole_before is None:
            partition.hole_before = offsets.start
            return SeekTo(partition.expected)
        if partition.hole_before != offsets.start:
            return Drop()
        partition.hole_before = None
        return Accept(0)

    def queued(self, tp: TP, next_offset: int) -> None:
        """All records before `next_offset` are in the queue."""
        self._of[tp].expected = next_offset

    def taken(self, tp: TP, next_offset: int) -> None:
        """All records before `next_offset` have left the queue for the updater."""
        self._of[tp].taken = next_offset

    def rewind(self, tps: Iterable[TP]) -> None:
        """The queue has dropped what it had of these partitions; read it again when they come back."""
        for tp in tps:
            if partition := self._of.get(tp):
                partition.expected, partition.hole_before = partition.taken, None
