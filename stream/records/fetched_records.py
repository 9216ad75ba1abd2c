"""Fetched records of a partition in columns, found by a loop that needs no interpreter: no object for each. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import AnyStr, NamedTuple, Self, overload

import numpy as np
from crc32c import crc32c

from models.compiled import Compiled, inlined
from models.saving import Array
from stream.records.record_batch import CHECKED_FROM, HEAD, HEAD_BYTES, LENGTH_BEGINS, MAGIC

_COMPRESSION, _IS_LOG_TIME, _IS_CONTROL = 0b111, 0b1000, 0b10_0000  # in the attributes of a batch


class CorruptBatchError(ValueError):
    """What a broker has sent is no record batch, or not the one that was written."""


class FetchedRecord(NamedTuple):
    """One of them."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True)
class FetchedRecords(Sequence[FetchedRecord]):
    """Records in log order.

    Attributes:
        content: what the broker has sent.
        offsets: `[n]` int64, ascending; some may be left out.
        times_ms: `[n]` int64, Kafka's timestamps.
        spans: `[n, 4]` int64: where in `content` the key begins and ends, and the value; -1, -1 for what is None.
    """

    content: bytes
    offsets: Array
    times_ms: Array
    spans: Array

    def __len__(self) -> int:
        return len(self.offsets)

    @overload
    def __getitem__(self, index: int) -> FetchedRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> FetchedRecord | Self:
        """A record, or some in columns again."""
        if isinstance(index, slice):
            return type(self)(self.content, self.offsets[index], self.times_ms[index], self.spans[index])
        at = range(len(self))[index]
        (record,) = self[at : at + 1]
        return record

    def __iter__(self) -> Iterator[FetchedRecord]:
        """All records, which takes less time than each by itself."""
        keys, values = (self._pieces(side) for side in np.hsplit(self.spans, 2))
        return map(FetchedRecord, self.offsets.tolist(), self.times_ms.tolist(), keys, values)

    def _pieces(self, spans: Array) -> list[bytes | None]:
        found = pieces(self.content, spans)
        return [piece if begins >= 0 else None for piece, begins in zip(found, spans[:, 0].tolist(), strict=True)]

    def values(self) -> list[bytes]:
        """All values, of which none may be None."""
        return pieces(self.content, self.spans[:, 2:])


def pieces(content: AnyStr, spans: Array) -> list[AnyStr]:
    """What lies from `[n, 0]` to `[n, 1]`."""
    begins, ends = spans.T.tolist()
    return list(map(content.__getitem__, map(slice, begins, ends)))


class _Batches(NamedTuple):
    """Of each batch `[batches]` int64.

    Attributes:
        begins: of its first record.
        ends: of all of it.
        counts: of records.
        offsets: the first one's.
        times_ms: of the batch.
        has_own_times: 1 where each record has a time of its own, counted from the batch's.
    """

    begins: Array
    ends: Array
    counts: Array
    offsets: Array
    times_ms: Array
    has_own_times: Array


class _Columns(NamedTuple):
    """As of `FetchedRecords`."""

    offsets: Array
    times_ms: Array
    spans: Array


def read_batches(content: bytes, from_offset: int, *, check_crc: bool) -> tuple[FetchedRecords, int] | None:
    """The records of whole batches, as a broker sends them, from an offset on; batches of transactions' ends have none.

    Returns:
        They, and the offset after the last batch, which may be beyond the last record. None where any batch is
        compressed or of an older format.

    Raises:
        CorruptBatchError: a checksum is wrong, or lengths are.
    """
    rows, at, next_offset = list[tuple[int, ...]](), 0, from_offset
    while at + HEAD_BYTES <= len(content):
        offset, length, _, magic, crc, attributes, last, first_ms, newest_ms, *_, count = HEAD.unpack_from(content, at)
        end = at + LENGTH_BEGINS + length
        if magic != MAGIC or attributes & _COMPRESSION:
            return None
        if end > len(content):
            break  # the broker has cut it off
        if end < at + HEAD_BYTES or not 0 <= count <= length:
            raise CorruptBatchError(f"expected a batch of {count} records in {length} bytes")
        if check_crc and crc32c(memoryview(content)[at + CHECKED_FROM : end]) != crc:
            raise CorruptBatchError(f"wrong checksum of the batch at offset {offset}")
        if not attributes & _IS_CONTROL:
            is_log_time = bool(attributes & _IS_LOG_TIME)
            time_ms = newest_ms if is_log_time else first_ms
            rows.append((at + HEAD_BYTES, end, count, offset, time_ms, not is_log_time))
        at, next_offset = end, max(next_offset, offset + last + 1)
    batches = _Batches(*np.array(rows, np.int64).reshape(-1, len(_Batches._fields)).T.copy())
    most = int(batches.counts.sum())
    columns = _Columns(*(np.empty(shape, np.int64) for shape in (most, most, (most, 4))))
    found = _read(np.frombuffer(content, np.uint8), batches, from_offset, columns)
    if found < 0:
        raise CorruptBatchError("lengths in a batch go beyond its end")
    return FetchedRecords(content, *columns)[:found], next_offset


@Compiled
def _read(content: Array, batches: _Batches, from_offset: int, columns: _Columns) -> int:
    """Fill the columns; returns how many records there are, -1 where one goes beyond its batch."""
    offsets, times_ms, spans = columns
    found = 0
    for batch in range(len(batches.begins)):
        at, batch_ends = batches.begins[batch], batches.ends[batch]
        for _ in range(batches.counts[batch]):
            length, at = _varint(content, at, batch_ends)
            ends = at + length
            if at < 0 or length < 1 or ends > batch_ends:
                return -1
            time_ms, at = _varint(content, at + 1, ends)
            offset, at = _varint(content, at, ends)
            for piece in range(2):
                length, at = _varint(content, at, ends)
                if at < 0 or length > ends - at:
                    return -1
                spans[found, 2 * piece] = at if length >= 0 else -1
                spans[found, 2 * piece + 1] = at + length if length >= 0 else -1
                at += max(length, 0)
            at = ends  # headers say nothing of events
            offsets[found] = batches.offsets[batch] + offset
            times_ms[found] = batches.times_ms[batch] + time_ms * batches.has_own_times[batch]
            found += offsets[found] >= from_offset
    return found


@inlined
def _varint(content: Array, at: int, ends: int) -> tuple[int, int]:
    """A number, zigzag, seven bits a byte, and where it ends; 0, -1 where that is not before `ends`, or `at` is -1."""
    number, shift = 0, 0
    while 0 <= at < ends and shift < 64:
        byte = int(content[at])
        number |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return (number >> 1) ^ -(number & 1), at
        shift += 7
    return 0, -1
