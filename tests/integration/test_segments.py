"""`interest-stream segments` on a real broker."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from kafka import KafkaProducer

from stream.broker.topics import TopicNames, create_topics
from stream.cli import commands
from stream.records.updates import InterestUpdate, ItemVector
from stream.settings import Settings
from tests.support.kafka import Kafka
from tests.support.records import encode_item_vector, encode_update

EAST, NORTH = [1.0, 0.0], [0.0, 1.0]


def test_users_are_grouped_from_the_topic_of_updates(kafka: Kafka, topic_prefix: str, tmp_path: Path):
    settings = Settings(broker=kafka.bootstrap, topic_prefix=topic_prefix)
    create_topics(settings)
    names = TopicNames.of(settings)
    producer: Any = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    for user, long_term in (("ann", EAST), ("bob", EAST), ("cleo", NORTH)):
        record = encode_update(InterestUpdate(1, user, 1, 1_000, 7, NORTH, long_term, 0.0, 1))
        producer.send(names.updates, key=record.key, value=record.value)
    record = encode_item_vector(ItemVector(1, "lamp", 1, EAST))
    producer.send(names.item_vectors, key=record.key, value=record.value)
    producer.close()

    out = tmp_path / "segments.csv"
    where = ["--broker", kafka.bootstrap, "--topic-prefix", topic_prefix]
    result = CliRunner().invoke(commands, ["segments", "--k", "2", "--json", "--out", str(out), *where])

    segments = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(s["users"], s["items"][0]) for s in segments] == [(2, "lamp"), (1, "lamp")]
    assert out.read_text().splitlines()[1:] == ["ann,0,1.0000", "bob,0,1.0000", "cleo,1,1.0000"]
