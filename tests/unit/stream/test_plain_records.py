from aiokafka.consumer.fetcher import READ_UNCOMMITTED, FetchError, FetchResult, PartitionRecords
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from stream.broker.plain_records import PlainRecords

PARTITION = TopicPartition("clicks", 2)


def test_records_are_handed_out_as_they_are_parsed():
    batch = BatchBuilder(1_000, 0)
    for key, value in ((b"ann", b"{}"), (None, b"1"), (b"bob", None)):
        batch.append(timestamp=5, key=key, value=value)
    fetched = PlainRecords()
    parts = PartitionRecords(
        PARTITION, MemoryRecords(bytes(batch._build())), None, 0, None, None, True, READ_UNCOMMITTED
    )

    fetched[PARTITION] = FetchResult(PARTITION, assignment=None, partition_records=parts, backoff=0)

    records = list(fetched[PARTITION]._partition_records)
    assert [(record.offset, record.timestamp, record.key, record.value) for record in records] == [
        (0, 5, b"ann", b"{}"),
        (1, 5, None, b"1"),
        (2, 5, b"bob", None),
    ]
    assert not any(hasattr(record, "serialized_value_size") for record in records)


def test_what_went_wrong_is_kept_as_it_is():
    fetched, failed = PlainRecords(), FetchError(error=KafkaError(), backoff=0)
    fetched[PARTITION] = failed
    assert fetched[PARTITION] is failed
