import pytest
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from stream.records.fetched_records import CorruptBatchError, FetchedRecord, read_batches
from stream.records.packed_records import PackedRecords
from stream.records.record_batch import HEAD, Origin, record_batch
from stream.records.updates import EncodedRecord
from tests.support.batches import NO_LIMIT, a_batch

CONTROL, LOG_TIME = 0x20, 0x08
GZIP = 1

texts = st.none() | st.binary(max_size=200)
headers = st.lists(st.tuples(st.text(st.characters(codec="ascii"), max_size=9), st.binary(max_size=9)), max_size=2)
records = st.lists(st.builds(EncodedRecord, texts, texts, headers.map(tuple)), min_size=1, max_size=70)


def with_attributes(batch: bytes, attributes: int) -> bytes:
    """The same with another meaning, and another checksum."""
    changed = bytearray(batch)
    changed[21:23] = attributes.to_bytes(2)
    return bytes(changed)


def parsed_by_aiokafka(content: bytes) -> list[FetchedRecord]:
    parsed = DefaultRecordBatch(content)
    return [FetchedRecord(record.offset, record.timestamp, record.key, record.value) for record in parsed]


@given(st.lists(records, min_size=1, max_size=3), st.integers(0, 200))
def test_records_are_those_that_aiokafka_parses(batches, from_offset):
    contents, expected, offset = [], [], 0
    for number, some in enumerate(batches):
        content = bytearray(record_batch(PackedRecords.of(some), Origin(1, 2, 3), 10 * number, NO_LIMIT).content)
        content[:8] = offset.to_bytes(8)
        contents.append(bytes(content))
        expected += parsed_by_aiokafka(contents[-1])
        offset += len(some) + 5  # compaction has taken what lay between

    read = read_batches(b"".join(contents), from_offset, check_crc=True)

    assert read
    assert list(read[0]) == [record for record in expected if record.offset >= from_offset]
    assert read[1] == max(from_offset, offset - 5)


def test_some_of_the_records_are_records_again():
    read = read_batches(
        a_batch([(b"a", b"1"), (None, b"2"), (b"c", None)], base_offset=7, time_ms=5), 0, check_crc=True
    )

    assert read
    assert list(read[0][1:]) == [FetchedRecord(8, 6, None, b"2"), FetchedRecord(9, 7, b"c", None)]
    assert read[0][:2].values() == [b"1", b"2"]
    assert not read[0][3:]


def test_a_broker_s_own_time_goes_for_all_records_of_a_batch():
    batch = with_attributes(a_batch([(b"a", b"1"), (b"b", b"2")], time_ms=5), LOG_TIME)

    read = read_batches(batch, 0, check_crc=False)

    assert read
    assert read[0].times_ms.tolist() == [6, 6]
    assert list(read[0]) == parsed_by_aiokafka(batch)


def test_what_marks_the_end_of_a_transaction_is_passed_over():
    marker = with_attributes(a_batch([(b"\0\0\0\0", b"")], base_offset=1), CONTROL)

    read = read_batches(a_batch([(b"a", b"1")]) + marker, 0, check_crc=False)

    assert read
    assert (len(read[0]), read[1]) == (1, 2)


def test_a_batch_that_the_broker_has_cut_off_is_left_for_the_next_fetch():
    batch = a_batch([(b"a", b"1")])

    for length in range(len(batch)):
        read = read_batches(batch + batch[:length], 0, check_crc=True)
        assert read
        assert (len(read[0]), read[1]) == (1, 1)


def test_what_is_compressed_or_of_an_older_format_is_left_to_others():
    old = LegacyRecordBatchBuilder(1, 0, NO_LIMIT)
    old.append(0, 5, b"a", b"1" * 100)

    assert read_batches(a_batch([(b"a", b"1")]) + a_batch([(b"b", b"2")], compression=GZIP), 0, check_crc=True) is None
    assert read_batches(bytes(old.build()), 0, check_crc=True) is None


@pytest.mark.parametrize("at", range(HEAD.size, 80))
def test_a_byte_that_has_changed_is_noticed(at):
    batch = bytearray(a_batch([(b"key", b"value of a record that is long enough")]))
    batch[at] ^= 1

    with pytest.raises(CorruptBatchError, match="checksum"):
        read_batches(bytes(batch), 0, check_crc=True)


@given(st.lists(st.tuples(st.integers(16, 90), st.integers(0, 255)), max_size=6))
def test_nothing_is_read_from_beyond_a_batch_whatever_stands_in_it(changes):
    batch = bytearray(a_batch([(b"key", b"value"), (b"another", b"with some more in it")]))
    for at, byte in changes:
        batch[min(at, len(batch) - 1)] = byte

    try:
        read = read_batches(bytes(batch), 0, check_crc=False)
    except CorruptBatchError:
        return
    if read:
        assert read[0].spans.min(initial=0) >= -1
        assert read[0].spans.max(initial=0) <= len(batch)
        assert (read[0].spans[:, 0] <= read[0].spans[:, 1]).all()
        assert (read[0].spans[:, 2] <= read[0].spans[:, 3]).all()
