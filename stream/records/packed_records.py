"""Many records that are ready to be sent, in columns: what is done with them takes no step of the interpreter each."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from models.saving import Array
from stream.records.updates import EncodedRecord

RECORD_BYTES = 24  # of a record batch at the most, beside pieces: length, attributes, time, offset, count of headers
PIECE_BYTES = 5  # at the most, beside what is in it: its length


@dataclass(frozen=True)
class PackedRecords:
    """Of each record its key, its value and, in turns, the names and values of its headers.

    Attributes:
        content: `[bytes]` uint8, all of them one after the other.
        lengths: `[pieces]` int64, of each; -1 for what is None.
        num_headers: `[n]` int64.
    """

    content: Array
    lengths: Array
    num_headers: Array

    @classmethod
    def of(cls, records: Iterable[EncodedRecord]) -> Self:
        """Packed; so are few, or such as have headers."""
        pieces: list[bytes | None] = []
        num_headers = []
        for record in records:
            pieces += record.key, record.value
            num_headers.append(len(record.headers))
            for name, value in record.headers:
                pieces += name.encode(), value
        return cls(
            np.frombuffer(bytearray().join([piece for piece in pieces if piece]), np.uint8),
            np.array([-1 if piece is None else len(piece) for piece in pieces], np.int64),
            np.array(num_headers, np.int64),
        )

    @classmethod
    def joined(cls, some: Sequence[Self]) -> Self:
        """One after the other; at least one."""
        if len(some) == 1:
            return some[0]
        return cls(
            np.concatenate([records.content for records in some]),
            np.concatenate([records.lengths for records in some]),
            np.concatenate([records.num_headers for records in some]),
        )

    def __len__(self) -> int:
        return len(self.num_headers)

    def __iter__(self) -> Iterator[EncodedRecord]:
        ends = np.cumsum(self._sizes).tolist()
        content = self.content.tobytes()
        pieces = (
            None if length < 0 else content[end - length : end]
            for length, end in zip(self.lengths.tolist(), ends, strict=True)
        )
        for count in self.num_headers.tolist():
            key, value = next(pieces), next(pieces)
            headers = [((next(pieces) or b"").decode(), next(pieces) or b"") for _ in range(count)]
            yield EncodedRecord(key, value, tuple(headers))

    @property
    def max_bytes(self) -> int:
        """What they take in a record batch at the most."""
        return len(self.content) + PIECE_BYTES * len(self.lengths) + RECORD_BYTES * len(self)

    def max_bytes_of_first(self) -> Array:
        """`[n]` int64: what the first 1, 2, ... `n` take in a record batch at the most."""
        of_pieces = np.cumsum(self._sizes + PIECE_BYTES)
        return of_pieces[self._last_pieces] + RECORD_BYTES * np.arange(1, 1 + len(self))

    def parts(self, counts: Sequence[int]) -> list[Self]:
        """The first so many records, the next so many, and so on; views."""
        records = np.cumsum([0, *counts])
        pieces = np.concatenate([[0], 1 + self._last_pieces])[records]
        content = np.concatenate([[0], np.cumsum(self._sizes)])[pieces]
        return [
            type(self)(self.content[slice(*of_content)], self.lengths[slice(*of_pieces)], self.num_headers[slice(*of)])
            for of_content, of_pieces, of in zip(*map(pairwise, (content, pieces, records)), strict=True)
        ]

    @property
    def _sizes(self) -> Array:
        """`[pieces]` int64: bytes of each in `content`."""
        return np.maximum(self.lengths, 0)

    @property
    def _last_pieces(self) -> Array:
        """`[n]` int64: where each record's last piece stands in `lengths`."""
        return np.cumsum(2 + 2 * self.num_headers) - 1


def by_partition(
    partitions: Array, records: PackedRecords, before: Iterable[tuple[int, EncodedRecord]] = ()
) -> dict[int, PackedRecords]:
    """What goes to each partition: of `before` what has its number, then its part of `records`.

    Args:
        partitions: `[n]` int, of each of the `records`, ascending.
        records: `n` of them.
        before: partitions and records, in order.
    """
    numbers, counts = np.unique(partitions, return_counts=True)
    of = dict(zip(numbers.tolist(), records.parts(counts.tolist()), strict=True))
    first: dict[int, list[EncodedRecord]] = defaultdict(list)
    for partition, record in before:
        first[partition].append(record)
    for partition, some in first.items():
        packed = PackedRecords.of(some)
        of[partition] = PackedRecords.joined([packed, of[partition]]) if partition in of else packed
    return of
