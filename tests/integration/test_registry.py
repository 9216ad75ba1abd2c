"""Avro and Protobuf records whose schemas a real registry has, over the bridge to our topics."""

import contextlib
import json
import struct
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.message_factory import GetMessageClass
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from stream.broker.dead_letter_box import read_dead_letters
from stream.broker.topic_reader import TopicReader
from stream.broker.topics import create_topics
from stream.errors import EventError
from stream.foreign.protos import message_type
from stream.foreign.registry import RegistryDecoder
from stream.records.events import Click, decode_event
from stream.settings import Settings
from tests.support.command import COMMAND, run_command
from tests.support.freezing import frozen
from tests.support.kafka import Kafka
from tests.support.registry import NoRegistryError, Registry
from tests.support.waiting import wait_until

pytestmark = pytest.mark.xdist_group("registry")  # one registry is enough

AT = datetime(2026, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
FORMAT = """
event_type = "what"
user_id = "who.id"
item_id = "item"
time = "at"
event_id = "id"
kinds = { seen = "click" }
"""
AVRO = """{"type": "record", "name": "Seen", "fields": [
    {"name": "what", "type": {"type": "enum", "name": "What", "symbols": ["seen", "left"]}},
    {"name": "who", "type": {"type": "record", "name": "Who", "fields": [{"name": "id", "type": "string"}]}},
    {"name": "item", "type": ["null", "string"]}, {"name": "id", "type": "string"},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}"""
WHO = 'syntax = "proto3"; package shop; message Who { string id = 1; }'
SEEN = """syntax = "proto3"; package shop;
import "google/protobuf/timestamp.proto"; import "shop/who.proto";
message Other { int64 number = 1; message Seen { string what = 1; Who who = 2; string item = 3; string id = 4;
    google.protobuf.Timestamp at = 5; } }"""
SEEN_PATH = (0, 0)  # the first message type of the file, the first one in it
WORKS_WITHIN_S = 120  # imports, and joining the group; what is asked of a frozen registry is given up after 10
FRAME = b"\x00%s\x04\x00\x00"  # schema id, then the path: its length and its numbers as zigzag varints


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    try:
        started = Registry()
    except NoRegistryError as error:
        pytest.fail(str(error), pytrace=False)
    yield started
    started.close()


@pytest.fixture
def client(registry: Registry) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": registry.url}) as client:
        yield client


@pytest.fixture
def settings(kafka: Kafka, topic_prefix: str) -> Settings:
    settings = Settings(broker=kafka.bootstrap, topic_prefix=topic_prefix, app_id=f"{topic_prefix}app")
    create_topics(settings)
    return settings


def seen(**more: Any) -> dict[str, Any]:
    return {"what": "seen", "who": {"id": "ann"}, "item": "i1", "id": "x1", "at": AT} | more


def in_avro(client: SchemaRegistryClient, subject: str, record: dict[str, Any], schema: str = AVRO) -> bytes:
    value = AvroSerializer(client, schema)(record, SerializationContext(subject, MessageField.VALUE))
    assert value is not None
    return value


def in_protobuf(client: SchemaRegistryClient, subject: str) -> bytes:
    """As a client writes it that registers the text of its schema, and of the one that it imports."""
    client.register_schema(f"{subject}-who", Schema(WHO, "PROTOBUF"))
    schema = Schema(SEEN, "PROTOBUF", [SchemaReference("shop/who.proto", f"{subject}-who", 1)])
    number = client.register_schema(f"{subject}-value", schema)
    message = a_seen()
    return FRAME.replace(b"%s", struct.pack(">I", number)) + message.SerializeToString()


def a_seen() -> Any:
    message = GetMessageClass(message_type({"s.proto": SEEN, "shop/who.proto": WHO}, "s.proto", SEEN_PATH))()
    message.what, message.item, message.id = "seen", "i1", "x1"
    message.who.id = "ann"
    message.at.FromDatetime(AT)
    return message


def send(settings: Settings, topic: str, *values: bytes) -> None:
    producer: Any = KafkaProducer(bootstrap_servers=settings.broker)
    for value in values:
        producer.send(topic, value, key=b"k")
    producer.close()


def a_bridge(settings: Settings, topic: str, folder: Path, *more: str) -> list[str]:
    """What to run."""
    (folder / "shop.toml").write_text(FORMAT)
    where = ("--broker", settings.broker, "--topic-prefix", settings.topic_prefix, "--app-id", settings.app_id)
    return ["bridge", topic, "--format", str(folder / "shop.toml"), "--until-idle", "5", "--json", *where, *more]


def committed(settings: Settings, topic: str) -> int:
    """The next offset that the bridge has committed, in whichever partition the records are."""
    consumer: Any = KafkaConsumer(
        bootstrap_servers=settings.broker, group_id=f"{settings.app_id}-bridge-{topic}", enable_auto_commit=False
    )
    try:
        return max((consumer.committed(TopicPartition(topic, p)) or 0 for p in range(settings.partitions)), default=0)
    finally:
        consumer.close()


@pytest.mark.parametrize("encoding", ["avro", "protobuf"])
def test_events_arrive_and_broken_records_are_dead_letters(
    settings: Settings, client: SchemaRegistryClient, registry: Registry, encoding: str, tmp_path: Path
):
    topic = settings.updates  # any topic of this prefix will do
    good = in_avro(client, topic, seen()) if encoding == "avro" else in_protobuf(client, topic)
    send(settings, topic, good, b"{}", good[:-3], b"\x00\x00\x00\xff\xff" + good[5:])

    asked = a_bridge(settings, topic, tmp_path, "--encoding", encoding, "--schema-registry", registry.url)
    result = run_command(*asked)

    assert result.returncode == 0, result.stderr
    refused = {f"not_{encoding}": 2, "no_schema": 1}
    counts = json.loads(result.stdout.splitlines()[-1])
    assert (counts["sent"], counts["refused"]) == ({"click": 1}, refused)
    with TopicReader(settings.broker, settings.input_topics[0], from_beginning=True) as reader:
        (click,) = [decode_event(0, record.key, record.value) for record in reader.until_end()]
    assert click == Click("ann", "i1", 1_767_225_601_500, event_id="x1")
    assert next(read_dead_letters(settings.broker, settings.dead_letters)).value == b"{}"


def test_a_schema_that_a_client_registered_as_a_descriptor_is_read(client: SchemaRegistryClient, registry: Registry):
    text = 'syntax = "proto3"; package shop; message Plain { string user = 1; int64 number = 2; }'
    message = GetMessageClass(message_type({"plain.proto": text}, "plain.proto", [0]))(user="ann", number=2**60)
    write = ProtobufSerializer(type(message), client)
    value = write(message, SerializationContext("plain", MessageField.VALUE))
    assert value is not None
    with RegistryDecoder(registry.url, "protobuf") as decoder:
        assert json.loads(decoder.to_json(value)) == {"user": "ann", "number": str(2**60)}


@pytest.mark.parametrize("encoding", ["avro", "protobuf"])
def test_cut_and_damaged_records_are_one_records_problem(
    client: SchemaRegistryClient, registry: Registry, encoding: Any
):
    good = in_avro(client, "cut", seen(item=None)) if encoding == "avro" else in_protobuf(client, "cut")
    with RegistryDecoder(registry.url, encoding) as decoder:
        for value in [*(good[:length] for length in range(len(good))), *damaged(good, 500)]:
            with contextlib.suppress(EventError):
                decoder.to_json(value)


def damaged(good: bytes, count: int) -> Iterator[bytes]:
    """With some bytes behind the schema's number changed."""
    random = np.random.default_rng(0)
    for _ in range(count):
        value = bytearray(good)
        for place in random.integers(5, len(good), size=3):
            value[place] = random.integers(256)
        yield bytes(value)


def test_a_registry_that_is_not_there_is_one_sentence(kafka: Kafka, tmp_path: Path):
    settings = Settings(broker=kafka.bootstrap)
    away = "http://me:secret@127.0.0.1:1"
    result = run_command(*a_bridge(settings, "t", tmp_path, "--encoding", "avro", "--schema-registry", away))
    assert result.returncode == 2
    assert result.stderr.startswith("Error: the schema registry at http://127.0.0.1:1")
    assert result.stderr.count("\n") == 1


def test_a_registry_that_goes_away_is_waited_for_and_nothing_is_committed_until_it_is_back(
    settings: Settings, client: SchemaRegistryClient, registry: Registry, tmp_path: Path
):
    topic, log = settings.updates, tmp_path / "log"
    known, new = (
        in_avro(client, topic, seen()),
        in_avro(client, f"{topic}-new", seen(id="x2"), AVRO.replace("Seen", "New")),
    )
    send(settings, topic, known)
    command = [*COMMAND, *a_bridge(settings, topic, tmp_path, "--encoding", "avro", "--schema-registry", registry.url)]
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as running,
    ):
        wait_until(lambda: committed(settings, topic) == 1, WORKS_WITHIN_S)
        with frozen(registry.pid):
            send(settings, topic, new)
            wait_until(lambda: "does not answer" in log.read_text(), WORKS_WITHIN_S)
            assert committed(settings, topic) == 1
        output, _ = running.communicate()
    assert running.returncode == 0, log.read_text()
    assert "it answers again" in log.read_text()
    counts = json.loads(output.splitlines()[-1])
    assert (counts["sent"], counts["refused"], committed(settings, topic)) == ({"click": 2}, {}, 2)
