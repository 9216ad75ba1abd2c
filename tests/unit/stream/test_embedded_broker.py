"""The broker inside the process, and our clients on it."""

from stream.broker.bulk_producer import BulkProducer
from stream.broker.topic_reader import TopicReader
from stream.broker.topics import TopicNames
from stream.client import EventProducer
from stream.demo.embedded_broker import MOCK_API_VERSION, EmbeddedBroker
from stream.records.events import encode_event
from tests.support.builders import a_click

NAMES = TopicNames.default("t.")


def partitions_of_users(broker: str) -> dict[bytes | None, int]:
    with TopicReader(broker, NAMES.inputs[0], from_beginning=True, api_version=MOCK_API_VERSION) as reader:
        return {record.key: record.partition for record in reader.until_end()}


def test_both_producers_put_a_user_into_the_same_partition():
    clicks = [a_click(user=f"user {number}") for number in range(50)]
    with EmbeddedBroker(NAMES.inputs) as broker:
        with BulkProducer(broker.bootstrap, NAMES) as bulk:
            for click in clicks:
                bulk.send(0, *encode_event(click))
        by_bulk = partitions_of_users(broker.bootstrap)
        with EventProducer(broker.bootstrap, topics=NAMES, api_version=MOCK_API_VERSION) as producer:
            for click in clicks:
                producer.send(click)
        assert bulk.delivered == {NAMES.inputs[0]: 50}
        assert partitions_of_users(broker.bootstrap) == by_bulk
        assert len(set(by_bulk.values())) > 1


def test_reader_sees_what_is_produced_after_it_was_made():
    with (
        EmbeddedBroker(NAMES.inputs) as broker,
        EventProducer(broker.bootstrap, topics=NAMES, api_version=MOCK_API_VERSION) as producer,
    ):
        producer.send(a_click(user="before"))
        producer.flush()
        with TopicReader(broker.bootstrap, NAMES.inputs[0], api_version=MOCK_API_VERSION) as reader:
            producer.send(a_click(user="after"))
            producer.flush()
            assert [record.key for record in reader.until_end()] == [b"after"]
