"""What the watchdog asks a real broker."""

from faust.types import TP
from kafka import KafkaProducer

from stream.broker.topics import create_topics
from stream.flow.watchdog import LagMeter
from stream.settings import Settings
from tests.support.kafka import Kafka


async def test_lag_is_what_lies_between_the_next_offsets_and_the_ends(kafka: Kafka, topic_prefix: str):
    settings = Settings.load(broker=kafka.bootstrap, topic_prefix=topic_prefix)
    create_topics(settings)
    topic = settings.input_topics[0]
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    for partition, count in ((0, 5), (1, 3)):
        for _ in range(count):
            producer.send(topic, b"x", partition=partition)
    producer.flush()
    producer.close()
    meter = LagMeter({"bootstrap_servers": kafka.bootstrap}, [TP(topic, p) for p in range(settings.partitions)])
    await meter.start()

    lags = [await meter.lag(read_to) for read_to in ({}, {TP(topic, 0): 4}, {TP(topic, 0): 5, TP(topic, 1): 3})]

    await meter.stop()
    assert lags == [8, 4, 0]
