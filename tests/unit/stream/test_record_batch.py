from typing import Any

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from stream.records.packed_records import PackedRecords
from stream.records.record_batch import Origin, next_sequence, record_batch
from stream.records.updates import EncodedRecord

ORIGIN = Origin(2**40, 3, 2**31 - 2)
NO_LIMIT = 2**30

texts = st.binary(max_size=300)
records = st.lists(
    st.builds(
        EncodedRecord,
        st.none() | texts,
        st.none() | texts,
        st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=70), texts), max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=70,  # lengths and offsets of one byte and of two
)


def built_by_aiokafka(some: list[EncodedRecord], time_ms: int) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, 0, ORIGIN.producer_id, ORIGIN.epoch, ORIGIN.sequence, NO_LIMIT)
    for offset, record in enumerate(some):
        builder.append(offset, time_ms, record.key, record.value, list(record.headers))
    return bytes(builder.build())


@given(records)
def test_a_batch_is_to_the_byte_what_aiokafka_makes(some):
    batch = record_batch(PackedRecords.of(some), ORIGIN, 1_800_000_000_000, NO_LIMIT)

    assert batch.num_records == len(some)
    assert bytes(batch.content) == built_by_aiokafka(some, 1_800_000_000_000)


@given(records, st.integers(61, 2_000))
def test_batches_with_a_limit_hold_all_records_in_order_and_only_a_large_record_goes_beyond(some, max_bytes):
    waiting, held = PackedRecords.of(some), []
    while len(waiting):
        batch = record_batch(waiting, ORIGIN, 0, max_bytes)
        assert len(batch.content) <= max_bytes or batch.num_records == 1
        read: Any = MemoryRecords(bytes(batch.content)).next_batch()
        held += [EncodedRecord(one.key, one.value, tuple(one.headers)) for one in read]
        _, waiting = waiting.parts([batch.num_records, len(waiting) - batch.num_records])
    assert held == some


def test_sequences_begin_anew_beyond_the_last():
    assert next_sequence(2**31 - 3, 2) == 2**31 - 1
    assert next_sequence(2**31 - 3, 5) == 2
