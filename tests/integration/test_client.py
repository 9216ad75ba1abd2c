"""The Python clients on a real broker: what goes in comes back."""

from collections.abc import Iterator
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from stream.broker.topic_reader import TopicReader
from stream.broker.topics import TopicNames, create_topics
from stream.client import EventProducer, InterestSubscriber, ItemVectors
from stream.errors import ConfigError, EventError
from stream.records.events import decode_event
from stream.records.updates import (
    EncodedRecord,
    InterestUpdate,
    ItemVector,
)
from stream.settings import Settings
from tests.support.builders import a_click
from tests.support.kafka import Kafka
from tests.support.records import binary_item_vector, binary_update, encode_item_vector, encode_update
from tests.support.waiting import wait_until

HALF = [0.5, 0.5, 0.5, 0.5]


@pytest.fixture
def names(kafka: Kafka, topic_prefix: str) -> TopicNames:
    settings = Settings(broker=kafka.bootstrap, topic_prefix=topic_prefix)
    create_topics(settings)
    return TopicNames.of(settings)


@pytest.fixture
def raw(kafka: Kafka) -> Iterator[Any]:
    """A producer of raw records, as a worker's."""
    producer: Any = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    yield producer
    producer.close()


def an_update(user: str, version: int) -> InterestUpdate:
    return InterestUpdate(1, user, version, 1_000, 7, HALF, HALF, 0.0, version)


def send(producer: Any, topic: str, *records: EncodedRecord) -> None:
    for record in records:
        producer.send(topic, key=record.key, value=record.value, headers=list(record.headers))
    producer.flush()


def tombstone(key: str) -> EncodedRecord:
    return EncodedRecord(key.encode(), None)


def versions(subscriber: InterestSubscriber, count: int) -> list[tuple[str, int]]:
    """The next `count` updates."""
    got: list[InterestUpdate] = []

    def has_enough() -> bool:
        got.extend(subscriber.poll())
        return len(got) >= count

    wait_until(has_enough, 10, f"{count} updates")
    return [(update.user_id, update.version) for update in got]


def test_events_arrive_in_the_topic_of_their_kind_with_the_user_as_key(kafka: Kafka, names: TopicNames):
    with EventProducer(kafka.bootstrap, topics=names) as producer:
        producer.click("u1", "i1", time_ms=5, value=2.0)
        producer.purchase("u1", "i1", time_ms=6, price=9.5)
        producer.search("u1", "red shoes", time_ms=7)
    for kind, topic in enumerate(names.inputs):
        with TopicReader(kafka.bootstrap, topic, from_beginning=True) as reader:
            (record,) = reader.until_end()
        assert decode_event(kind, record.key, record.value).time_ms == 5 + kind


def test_event_a_worker_would_refuse_is_not_sent(kafka: Kafka, names: TopicNames):
    with EventProducer(kafka.bootstrap, topics=names) as producer:
        for event in (a_click(user=""), a_click(user="\ud800"), a_click_worth(float("nan"))):
            with pytest.raises(EventError):
                producer.send(event)
    with TopicReader(kafka.bootstrap, names.inputs[0], from_beginning=True) as reader:
        assert list(reader.until_end()) == []


def a_click_worth(value: float) -> Any:
    click = a_click()
    click.value = value
    return click


def test_undelivered_events_are_told_on_leaving(kafka: Kafka, topic_prefix: str):
    names = TopicNames.default(topic_prefix)
    tiny = {"num_partitions": 1, "replication_factor": 1, "configs": {"max.message.bytes": "10"}}
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    admin.create_topics(dict.fromkeys(names.inputs, tiny), wait_for_metadata=True)
    admin.close()
    producer = EventProducer(kafka.bootstrap, topics=names)
    producer.click("u1", "i1")
    with pytest.raises(ConfigError, match="1 events were not delivered"):
        producer.close()


def test_producer_misses_topics_at_once(kafka: Kafka):
    with pytest.raises(ConfigError, match=r"missing topics: never-created\.clicks"):
        EventProducer(kafka.bootstrap, topics=TopicNames.default("never-created."))


@pytest.mark.parametrize("binary", [False, True], ids=["json", "binary"])
def test_newer_updates_are_yielded_and_stale_ones_dropped(kafka: Kafka, names: TopicNames, raw: Any, binary: bool):
    def encode(update: InterestUpdate) -> EncodedRecord:
        return binary_update(update) if binary else encode_update(update)

    with InterestSubscriber(kafka.bootstrap, topic=names.updates) as subscriber:
        send(raw, names.updates, *(encode(an_update("a", version)) for version in (1, 3, 3, 2, 4)))
        assert versions(subscriber, 3) == [("a", 1), ("a", 3), ("a", 4)]
        assert subscriber.num_stale == 2
        assert subscriber.users["a"].interest == HALF


def test_subscriber_begins_now_or_at_the_beginning(kafka: Kafka, names: TopicNames, raw: Any):
    send(raw, names.updates, encode_update(an_update("a", 1)))
    with (
        InterestSubscriber(kafka.bootstrap, topic=names.updates) as now,
        InterestSubscriber(kafka.bootstrap, from_beginning=True, topic=names.updates) as beginning,
    ):
        send(raw, names.updates, encode_update(an_update("a", 2)))
        assert versions(now, 1) == [("a", 2)]
        assert versions(beginning, 2) == [("a", 1), ("a", 2)]


def test_iteration_yields_updates_as_they_come(kafka: Kafka, names: TopicNames, raw: Any):
    with InterestSubscriber(kafka.bootstrap, topic=names.updates) as subscriber:
        send(raw, names.updates, encode_update(an_update("a", 1)))
        assert next(iter(subscriber)).version == 1


def test_erased_user_leaves_the_cache_and_may_come_back(kafka: Kafka, names: TopicNames, raw: Any):
    erased: list[str] = []
    with InterestSubscriber(kafka.bootstrap, topic=names.updates, on_erased=erased.append) as subscriber:
        send(raw, names.updates, encode_update(an_update("a", 9)), tombstone("a"))
        wait_until(lambda: subscriber.poll() is not None and erased, 10)
        assert (erased, subscriber.users) == (["a"], {})
        send(raw, names.updates, encode_update(an_update("a", 10)))
        assert versions(subscriber, 1) == [("a", 10)]


def test_snapshot_has_the_newest_of_each_user_and_goes_on_from_there(kafka: Kafka, names: TopicNames, raw: Any):
    old = [an_update("a", 1), an_update("b", 1), an_update("a", 2)]
    send(raw, names.updates, *map(encode_update, old), encode_update(an_update("c", 1)), tombstone("c"))
    with InterestSubscriber(kafka.bootstrap, topic=names.updates) as subscriber:
        assert {user: update.version for user, update in subscriber.snapshot().items()} == {"a": 2, "b": 1}
        send(raw, names.updates, encode_update(an_update("b", 2)))
        assert versions(subscriber, 1) == [("b", 2)]


def test_record_that_is_no_update_does_not_stop_the_next(kafka: Kafka, names: TopicNames, raw: Any):
    with InterestSubscriber(kafka.bootstrap, topic=names.updates) as subscriber:
        send(raw, names.updates, EncodedRecord(b"a", b"{"), encode_update(an_update("a", 1)))
        assert versions(subscriber, 1) == [("a", 1)]
        assert subscriber.num_unreadable == 1


def test_missing_topic_is_a_config_error(kafka: Kafka):
    with pytest.raises(ConfigError, match="there is no topic never-created"):
        InterestSubscriber(kafka.bootstrap, topic="never-created")


def test_item_vectors_of_both_formats_are_found_and_erased_ones_are_not(kafka: Kafka, names: TopicNames, raw: Any):
    east, north = ItemVector(1, "east", 1, [1.0, 0.0]), ItemVector(1, "north", 1, [0.0, 1.0])
    binary = binary_item_vector(north)
    gone = ItemVector(1, "gone", 1, [0.0, 1.0])
    records = (encode_item_vector(east), binary, encode_item_vector(gone), tombstone("gone"))
    send(raw, names.item_vectors, *records)
    with ItemVectors(kafka.bootstrap, topic=names.item_vectors) as items:
        items.fill()
        assert items.nearest([0.0, 1.0]) == [("north", 1.0), ("east", 0.0)]
