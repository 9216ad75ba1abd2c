"""What the watchdog asks a real broker."""

from collections.abc import Mapping

import pytest
from confluent_kafka import Producer
from faust.types import TP
from kafka import KafkaProducer

from stream.broker.topics import create_topics
from stream.flow.watchdog import LagMeter
from stream.settings import Settings
from tests.support.kafka import Kafka


@pytest.fixture
def settings(kafka: Kafka, topic_prefix: str) -> Settings:
    settings = Settings.load(broker=kafka.bootstrap, topic_prefix=topic_prefix)
    create_topics(settings)
    return settings


async def test_the_lag_of_every_partition_is_kept_for_the_metrics(settings: Settings):
    send_in_a_transaction(settings, 3)
    topic = settings.input_topics[0]
    meter = LagMeter({"bootstrap_servers": settings.broker}, [TP(topic, 0), TP(topic, 1)])
    await meter.start()
    try:
        assert meter.lags == {}
        await meter.lag({TP(topic, 0): 1})
        assert meter.lags == {TP(topic, 0): 3, TP(topic, 1): 0}  # two records and the marker
    finally:
        await meter.stop()


async def lags_of(settings: Settings, *read_to: Mapping[TP, int]) -> list[int | None]:
    """The lags of the clicks with one `read_to` after the other."""
    clicks = [TP(settings.input_topics[0], p) for p in range(settings.partitions)]
    meter = LagMeter({"bootstrap_servers": settings.broker}, clicks)
    await meter.start()
    try:
        return [await meter.lag(next_offsets) for next_offsets in read_to]
    finally:
        await meter.stop()


async def test_lag_is_what_lies_between_the_next_offsets_and_the_ends(settings: Settings):
    topic = settings.input_topics[0]
    producer = KafkaProducer(bootstrap_servers=settings.broker)
    for partition, count in ((0, 5), (1, 3)):
        for _ in range(count):
            producer.send(topic, b"x", partition=partition)
    producer.flush()
    producer.close()

    lags = await lags_of(settings, {}, {TP(topic, 0): 4}, {TP(topic, 0): 5, TP(topic, 1): 3})

    assert lags == [8, 4, 0]


def send_in_a_transaction(settings: Settings, count: int) -> None:
    producer = Producer({"bootstrap.servers": settings.broker, "transactional.id": settings.topic_prefix})
    producer.init_transactions()
    producer.begin_transaction()
    for _ in range(count):
        producer.produce(settings.input_topics[0], b"x", partition=0)
    producer.commit_transaction()


async def test_transaction_markers_at_the_end_of_a_log_are_no_lag(settings: Settings):
    for _ in range(2):
        send_in_a_transaction(settings, 3)
    first = TP(settings.input_topics[0], 0)

    lags = await lags_of(settings, {first: 7}, {first: 6}, {first: 3}, {first: 8})  # 3 and 7 hold markers

    assert lags == [0, 2, 5, 0]
