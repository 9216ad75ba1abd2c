"""What became of every record, so that it can be checked against the input log. Pure."""

from typing import Self

import msgspec
import numpy as np

HASH_MODULUS = 2**64


class TopicLedger(msgspec.Struct):
    """Counts of one input topic since the beginning of the state.

    Attributes:
        records: all records read; the sum of the next six.
        admitted: events that changed windows and model.
        refused: records that became dead letters.
        duplicates: events whose id had been seen.
        late: events older than the allowed lateness.
        erased: events of before their user's erasure.
        floods: events of one user and kind beyond `max_events_per_minute`.
        hash_sum: sum of the admitted records' 64-bit value hashes (xxh3), modulo 2^64.
    """

    records: int = 0
    admitted: int = 0
    refused: int = 0
    duplicates: int = 0
    late: int = 0
    erased: int = 0
    floods: int = 0
    hash_sum: int = 0

    def plus(self, other: Self) -> Self:
        """Both together."""
        sums = {name: count + getattr(other, name) for name, count in self.counts().items()}
        return type(self)(**(sums | {"hash_sum": sums["hash_sum"] % HASH_MODULUS}))

    def counts(self) -> dict[str, int]:
        """As plain numbers by name."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


def hash_sum(hashes: np.ndarray) -> int:
    """Sum of `[n]` uint64, modulo 2^64."""
    return int(np.add.reduce(hashes, dtype=np.uint64))
