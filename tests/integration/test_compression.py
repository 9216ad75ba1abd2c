"""Producers that compress, each its own way, and their records among those that are broken or no plain JSON."""

import time
from pathlib import Path

from confluent_kafka import Producer

from stream.broker.topic_reader import TopicReader
from stream.broker.topics import create_topics
from stream.demo.simulator import SimulatedShop
from stream.records.events import KIND_OF_EVENT_CLASS, encode_event
from stream.settings import Settings
from tests.support.kafka import Kafka
from tests.support.worker import WorkerProcess

CODECS = "none", "gzip", "snappy", "lz4", "zstd"
EVENTS = 1_000  # from each producer: some hundred of a partition in an answer
BROKEN_EVERY, ESCAPED_EVERY = 97, 31


def test_whatever_producers_compress_with_every_record_counts_once(kafka: Kafka, topic_prefix: str, tmp_path: Path):
    settings = Settings(broker=kafka.bootstrap, topic_prefix=topic_prefix)
    create_topics(settings)
    now_ms, total = int(time.time() * 1000), len(CODECS) * EVENTS
    events = SimulatedShop().events(range(now_ms - total, now_ms))
    num_broken = 0
    for codec in CODECS:
        producer = Producer({"bootstrap.servers": kafka.bootstrap, "compression.type": codec, "linger.ms": 50})
        for number in range(EVENTS):
            event = next(events)
            key, value = encode_event(event)
            if number % BROKEN_EVERY == 0:
                value, num_broken = value[:-1], num_broken + 1
            elif number % ESCAPED_EVERY == 0:
                value = value.replace(b'"user_id"', b'"of":"\\u00e9","user_id"')
            producer.produce(settings.input_topics[KIND_OF_EVENT_CLASS[type(event)]], value=value, key=key)
        assert producer.flush(30) == 0

    lenient = {"INTEREST_DEAD_LETTER_LIMIT_RATIO": "1"}
    with WorkerProcess(kafka.bootstrap, topic_prefix, tmp_path, lenient) as worker:
        worker.wait_for(lambda status: status.records >= total and not status.queued, "all records are through")
        assert (worker.status.records, worker.status.refused) == (total, num_broken)
        assert worker.status.events == total - num_broken
        assert worker.status.recompiles == 0
        worker.stop()

    num_read = 0
    for topic in settings.input_topics:
        with TopicReader(kafka.bootstrap, topic, from_beginning=True) as reader:
            num_read += sum(1 for _ in reader.until_end())
    assert num_read == total
