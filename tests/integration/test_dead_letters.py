"""Listing dead letters and sending them back."""

import json
from typing import Any

import pytest
from click.testing import CliRunner
from kafka import KafkaProducer

from stream.broker.topic_reader import TopicReader
from stream.broker.topics import create_topics
from stream.cli import commands
from stream.errors import EventError
from stream.records.dead_letters import dead_letter
from stream.settings import Settings
from tests.support.builders import ARecord
from tests.support.kafka import Kafka


@pytest.fixture
def settings(kafka: Kafka, topic_prefix: str) -> Settings:
    """Three dead letters: two from the clicks, one from a topic that is not ours."""
    settings = Settings(broker=kafka.bootstrap, topic_prefix=topic_prefix)
    create_topics(settings)
    producer: Any = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    clicks = settings.input_topics[0]
    for topic, reason in ((clicks, "not_json"), (clicks, "wrong_key"), ("elsewhere", "not_json")):
        letter = dead_letter((topic, 2), ARecord(b"{", b"u1", offset=7), EventError(reason, "no"), 1_000)
        producer.send(settings.dead_letters, key=letter.key, value=letter.value, headers=list(letter.headers))
    producer.close()
    return settings


def call(settings: Settings, *arguments: str) -> list[dict[str, Any]]:
    where = ("--broker", settings.broker, "--topic-prefix", settings.topic_prefix, "--json")
    result = CliRunner().invoke(commands, ["dead-letters", *arguments, *where])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_dead_letters_are_listed_with_reason_and_source(settings: Settings):
    first, *_ = letters = call(settings, "list")
    assert len(letters) == 3
    assert (first["reason"], first["source"]) == ("not_json", f"{settings.input_topics[0]}/2/7")
    assert (first["key"], first["value"], first["failed_at_ms"]) == ("u1", "{", 1_000)


def test_reason_and_offset_choose(settings: Settings):
    assert [letter["offset"] for letter in call(settings, "list", "--reason", "not_json")] == [0, 2]
    assert [letter["offset"] for letter in call(settings, "list", "--after", "0")] == [1, 2]


def test_records_go_back_to_their_topics_and_foreign_ones_stay(settings: Settings):
    (summary,) = call(settings, "replay")
    assert summary == {"sent": 2, "kept_back": 1, "last_offset": 1}
    with TopicReader(settings.broker, settings.input_topics[0], from_beginning=True) as reader:
        assert [(record.key, record.value) for record in reader.until_end()] == [(b"u1", b"{")] * 2
