"""Record batches as brokers send them, made by aiokafka."""

from collections.abc import Iterable

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from stream.records.fetched_records import FetchedRecords, read_batches

NO_LIMIT = 2**30

KeyValue = tuple[bytes | None, bytes | None]


def a_batch(records: Iterable[KeyValue], *, base_offset: int = 0, time_ms: int = 0, compression: int = 0) -> bytes:
    """Records a millisecond from each other."""
    builder = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, -1, NO_LIMIT)
    for number, (key, value) in enumerate(records):
        builder.append(number, time_ms + number, key, value, [])
    content = bytearray(builder.build())
    content[:8] = base_offset.to_bytes(8)  # what a broker gives it; no checksum is of this
    return bytes(content)


def fetched(records: Iterable[KeyValue], **how: int) -> FetchedRecords:
    """One batch, read."""
    read = read_batches(a_batch(records, **how), 0, check_crc=True)
    assert read
    return read[0]
