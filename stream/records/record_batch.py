"""Records as one Kafka record batch (message format 2), laid out in a loop without the interpreter's lock. Pure."""

import struct
from typing import NamedTuple

import numpy as np
from crc32c import crc32c

from models.compiled import Compiled, inlined
from models.saving import Array
from stream.records.packed_records import PackedRecords
from stream.records.updates import EncodedRecord

_NUM_SEQUENCES = 2**31
HEAD = struct.Struct(">qiibIhiqqqhii")
HEAD_BYTES = HEAD.size
LENGTH_BEGINS, _CRC_AT, CHECKED_FROM = 12, 17, 21
MAGIC = 2  # of the format
_NO_LEADER_EPOCH = -1
_PLAIN = 0  # attributes: not compressed, a producer's time, no transaction


class Origin(NamedTuple):
    """By what a broker recognises a batch that comes twice.

    Attributes:
        producer_id: given by the broker.
        epoch: of that id; the broker refuses an older one.
        sequence: of the first record, among all that this producer has sent to the partition.
    """

    producer_id: int
    epoch: int
    sequence: int


class RecordBatch(NamedTuple):
    """A batch that is ready to be sent.

    Attributes:
        content: all of it.
        num_records: how many of the records it holds.
    """

    content: memoryview
    num_records: int


def record_batch(records: PackedRecords, origin: Origin, time_ms: int, max_bytes: int) -> RecordBatch:
    """As many of the first `records` as fit, at least one, all with the time `time_ms`; the broker gives offsets."""
    count, size = len(records), HEAD_BYTES + records.max_bytes
    if size > max_bytes:
        sizes = HEAD_BYTES + records.max_bytes_of_first()
        count = max(1, int(np.searchsorted(sizes, max_bytes, "right")))
        size = int(sizes[count - 1])
    out = np.empty(size, np.uint8)
    end = _lay_out(out, records.content, records.lengths, records.num_headers[:count])
    content = out.data[:end]
    HEAD.pack_into(content, 0, *_head(end, count, time_ms, origin))
    content[_CRC_AT:CHECKED_FROM] = crc32c(content[CHECKED_FROM:]).to_bytes(4)
    return RecordBatch(content, count)


def compile_layout() -> None:
    """Compile the loop, or read it from the cache, before there is anything to send."""
    record_batch(PackedRecords.of([EncodedRecord(None, None)]), Origin(0, 0, 0), time_ms=0, max_bytes=0)


def next_sequence(sequence: int, num_records: int) -> int:
    """That of the record after a batch."""
    return (sequence + num_records) % _NUM_SEQUENCES


def _head(end: int, count: int, time_ms: int, origin: Origin) -> tuple[int, ...]:
    offset = crc = 0  # the one is the broker's to give, the other comes last
    first = offset, end - LENGTH_BEGINS, _NO_LEADER_EPOCH, MAGIC, crc, _PLAIN
    return *first, count - 1, time_ms, time_ms, *origin, count


@Compiled
def _lay_out(out: Array, content: Array, lengths: Array, num_headers: Array) -> int:
    """Fill `out` with as many records as `num_headers` has; returns where they end."""
    end, piece, start = HEAD_BYTES, 0, 0
    for number in range(len(num_headers)):
        first, after = piece, piece + 2 + 2 * num_headers[number]
        size = 2 + _varint_bytes(number) + _varint_bytes(num_headers[number])
        for i in range(first, after):
            size += _varint_bytes(lengths[i]) + max(lengths[i], 0)
        end = _put_varint(out, end, size)
        out[end] = out[end + 1] = 0  # attributes, time beyond the batch's
        end = _put_varint(out, end + 2, number)
        for piece in range(first, after):
            if piece == first + 2:
                end = _put_varint(out, end, num_headers[number])
            length = lengths[piece]
            end = _put_varint(out, end, length)
            if length > 0:
                into, of = out[end : end + length], content[start : start + length]
                for i in range(length):
                    into[i] = of[i]
                end, start = end + length, start + length
        if after == first + 2:
            end = _put_varint(out, end, 0)
        piece = after
    return end


@inlined
def _varint_bytes(number: int) -> int:
    rest, size = (number << 1) ^ (number >> 63), 1
    while rest > 127:
        rest >>= 7
        size += 1
    return size


@inlined
def _put_varint(out: Array, at: int, number: int) -> int:
    """Zigzag, seven bits a byte; returns where it ends."""
    rest = (number << 1) ^ (number >> 63)
    while rest > 127:
        out[at] = 128 | (rest & 127)
        rest >>= 7
        at += 1
    out[at] = rest
    return at + 1
