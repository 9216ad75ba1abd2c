from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import READ_UNCOMMITTED, FetchError, FetchResult, PartitionRecords
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import CorruptRecordException, KafkaError
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from stream.broker.plain_records import MANY_BYTES, PlainRecords
from stream.records.fetched_records import FetchedRecords
from tests.support.batches import a_batch

PARTITION = TopicPartition("clicks", 2)
FEW = [(b"ann", b"{}"), (None, b"1"), (b"bob", None)]
MANY = [(b"%d" % number, b"x" * 100) for number in range(1 + MANY_BYTES // 100)]
CODECS = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}  # as Kafka numbers them


def a_result(content: bytes, begins: int = 0) -> Any:
    """What a fetcher makes of an answer of a broker, read from `begins` on."""
    subscription = SubscriptionState()
    subscription.assign_from_user([PARTITION])
    assignment = subscription.subscription.assignment
    assignment.state_value(PARTITION).reset_to(begins)
    parts = PartitionRecords(PARTITION, MemoryRecords(content), None, begins, None, None, True, READ_UNCOMMITTED)
    return FetchResult(PARTITION, assignment=assignment, partition_records=parts, backoff=0)


def an_answer(content: bytes | None, partition: int = PARTITION.partition) -> Any:
    return SimpleNamespace(topics=[(PARTITION.topic, [(partition, 0, 9, 9, None, content)])])


def put(content: bytes, begins: int = 0) -> Any:
    """What is there to be handed out after the answer has come."""
    fetched = PlainRecords()
    fetched.note(an_answer(content))
    fetched[PARTITION] = a_result(content, begins)
    return fetched[PARTITION]


def position(result: Any) -> int:
    at: int = result._assignment.state_value(PARTITION).position
    return at


def offsets_of(records: Any) -> list[int]:
    return [record.offset for record in records]


async def test_few_records_are_handed_out_as_they_are_parsed():
    result = put(a_batch(FEW, time_ms=5))

    records = result.getall(100)

    assert not isinstance(records, FetchedRecords)
    assert [(record.offset, record.timestamp, record.key, record.value) for record in records] == [
        (0, 5, b"ann", b"{}"),
        (1, 6, None, b"1"),
        (2, 7, b"bob", None),
    ]
    assert not any(hasattr(record, "serialized_value_size") for record in records)


async def test_many_records_are_handed_out_in_columns_some_at_a_time():
    result = put(a_batch(MANY), begins=3)

    first, rest = result.getall(10), result.getall()

    assert isinstance(first, FetchedRecords)
    assert offsets_of(first) == [*range(3, 13)]
    assert offsets_of(rest) == [*range(13, len(MANY))]
    assert [(record.key, record.value) for record in [*first, *rest]] == MANY[3:]


async def test_the_position_is_behind_what_was_handed_out():
    result = put(a_batch(MANY) + a_batch(FEW, base_offset=100))

    for count, expected in ((len(MANY) - 1, len(MANY) - 1), (1, 100), (2, 102), (9, 103)):
        assert result.has_more()
        result.getall(count)
        assert position(result) == expected
    assert not result.has_more()


@pytest.mark.parametrize("pause", [True, False], ids=["paused", "sought"])
async def test_nothing_is_handed_out_of_a_partition_that_is_read_from_elsewhere_by_now(pause):
    result = put(a_batch(MANY))
    result.getall(2)
    if pause:
        result._assignment.state_value(PARTITION).pause()
    else:
        result._assignment.state_value(PARTITION).seek(1)

    assert result.getall(2) == []
    assert not result.has_more()


@pytest.mark.parametrize("codec", CODECS)
async def test_what_is_compressed_is_handed_out_as_it_is_parsed(codec):
    varied = [(b"%d" % number, b"%d" % number**9) for number in range(2_000)]
    content = a_batch(varied, compression=codec)
    assert len(content) > MANY_BYTES
    result = put(content)

    first, rest = result.getall(10), result.getall()

    assert not isinstance(first, FetchedRecords)
    assert offsets_of([*first, *rest]) == [*range(len(varied))]


async def test_of_what_is_corrupt_all_before_is_handed_out():
    corrupt = bytearray(a_batch(MANY, base_offset=len(MANY)))
    corrupt[-1] ^= 1
    result = put(a_batch(MANY) + bytes(corrupt))

    assert offsets_of(result.getall(len(MANY))) == [*range(len(MANY))]
    with pytest.raises(CorruptRecordException, match="clicks"):
        result.getall(1)


async def test_an_answer_about_other_partitions_leaves_nothing_behind():
    fetched = PlainRecords()
    fetched.note(an_answer(a_batch(MANY)))
    fetched.note(an_answer(None, partition=3))
    fetched[PARTITION] = a_result(a_batch(FEW))

    assert len(fetched[PARTITION].getall()) == len(FEW)


def test_what_went_wrong_is_kept_as_it_is():
    fetched, failed = PlainRecords(), FetchError(error=KafkaError(), backoff=0)
    fetched[PARTITION] = failed
    assert fetched[PARTITION] is failed
