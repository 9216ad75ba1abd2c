"""What comes of a micro-batch: the records that it sends. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from models.saving import Array
from stream.flow.columns import EventColumns
from stream.records.packed_records import PackedRecords, by_partition
from stream.records.updates import EncodedRecord


@dataclass
class Outcome:
    """What one micro-batch sends.

    Attributes:
        tombstones: of users that were erased, and their partitions, in order.
        partitions: `[n]` int64, of the records that `encode` makes, ascending.
        encode: makes the interest updates' records.
        dead_letters: records that could not be used.
        targets: the events that became examples, in the order in which the learner got them; None where none did.
        is_complete: whether the updates are known.
    """

    dead_letters: list[EncodedRecord]
    tombstones: list[tuple[int, EncodedRecord]] = field(default_factory=list)
    partitions: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    encode: Callable[[], PackedRecords] = lambda: PackedRecords.of(())
    targets: EventColumns | None = None
    is_complete: bool = False

    @cached_property
    def updates(self) -> dict[int, PackedRecords]:
        """Tombstones and interest updates by partition, in order; made when first asked for, by any thread."""
        return by_partition(self.partitions, self.encode(), self.tombstones)

    @property
    def num_updates(self) -> int:
        """Updates of all partitions together, tombstones included."""
        return len(self.tombstones) + len(self.partitions)
