"""Foreign events from a topic of their own to ours."""

import json
from typing import Any

from kafka import KafkaProducer

from stream.broker.dead_letter_box import read_dead_letters
from stream.broker.topic_reader import TopicReader
from stream.broker.topics import create_topics
from stream.records.events import Click, decode_event
from stream.settings import Settings
from tests.support.command import run_command
from tests.support.kafka import Kafka

CLICK = {"type": "click", "user": "ann", "item": "i1", "timestamp": "1767225601500", "id": "x1"}
IDLE_S = "5"  # joining the group takes up to 3


def send(settings: Settings, topic: str, *values: object) -> None:
    producer: Any = KafkaProducer(bootstrap_servers=settings.broker)
    for value in values:
        producer.send(topic, json.dumps(value).encode(), key=b"ann")
    producer.close()


def bridge(settings: Settings, topic: str) -> dict[str, Any]:
    """What the command counts."""
    where = ("--broker", settings.broker, "--topic-prefix", settings.topic_prefix, "--app-id", settings.app_id)
    options = ("--format", "metarank", "--until-idle", IDLE_S, "--json")
    result = run_command("bridge", topic, *options, *where)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_events_arrive_keyed_broken_ones_are_dead_letters_and_it_goes_on_where_it_was(kafka: Kafka, topic_prefix: str):
    settings = Settings(broker=kafka.bootstrap, topic_prefix=topic_prefix, app_id=f"{topic_prefix}app")
    foreign = settings.updates  # any topic of this prefix will do as a foreign one
    create_topics(settings)
    send(settings, foreign, CLICK, CLICK | {"type": "ranking"}, CLICK | {"user": ""})

    first = bridge(settings, foreign)
    send(settings, foreign, CLICK | {"id": "x2"})
    second = bridge(settings, foreign)

    assert (first["records"], first["sent"], first["refused"]) == (3, {"click": 1}, {"not_an_event": 1})
    assert (second["records"], second["sent"]) == (1, {"click": 1})
    with TopicReader(settings.broker, settings.input_topics[0], from_beginning=True) as reader:
        clicks = [decode_event(0, record.key, record.value) for record in reader.until_end()]
    assert clicks == [Click("ann", "i1", 1_767_225_601_500, event_id=name) for name in ("x1", "x2")]
    (letter,) = read_dead_letters(settings.broker, settings.dead_letters)
    assert letter.source_topic == foreign
