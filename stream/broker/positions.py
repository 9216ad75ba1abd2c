"""Where to read on in each partition, and whether what arrives continues there. Knows neither Faust nor events."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from faust.types import TP

RUNS_A_SEEK = 8  # behind a hole: more runs than lie between fetch and agent say that the seek itself got lost


@dataclass
class _Partition:
    expected: int
    """Next offset to be queued."""
    taken: int
    """Next offset to be taken by the updater; what lies between the two waits in the queue."""
    num_dropped: int = 0
    """Runs that came after a hole, one after the other."""


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

    A run of records must continue where the last one ended. Records can get lost between fetch and agent when a
    rebalance cuts in, and then they are fetched again. A log may have holes of its own (compaction, transaction
    markers): such a hole is believed where the run was read from the expected offset on, and nowhere else.
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

    def arrive(self, tp: TP, offsets: range, read_from: int | None) -> Accept | Drop | SeekTo:
        """Judge a run of records.

        Args:
            tp: its partition.
            offsets: from the first to the last + 1; holes within are the log's.
            read_from: the offset from which the log was read to get this run, none of what lies between being there;
                None where that is not known.
        """
        begins = offsets.start if read_from is None else min(read_from, offsets.start)
        partition = self._of.setdefault(tp, _Partition(begins, begins))
        if offsets.stop <= partition.expected:
            return Drop()
        if begins <= partition.expected:
            partition.num_dropped = 0
            return Accept(max(0, partition.expected - offsets.start))
        partition.num_dropped += 1
        return SeekTo(partition.expected) if partition.num_dropped % RUNS_A_SEEK == 1 else Drop()

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
                partition.expected, partition.num_dropped = partition.taken, 0
