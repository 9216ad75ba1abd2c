"""The broker that the other integration tests stand on."""

from collections.abc import Sequence
from contextlib import closing

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from tests.support.kafka import Kafka, NoKafkaError, start_kafka, start_own_kafka

ANSWERS_WITHIN_S = 30


def test_what_is_sent_is_read_back(kafka: Kafka, topic_prefix: str) -> None:
    topic = a_topic(kafka, topic_prefix)
    send(kafka, topic, [b"1", b"2", b"3"])
    assert read(kafka, topic) == [b"1", b"2", b"3"]


def test_kill_and_restart_lose_nothing_acknowledged(breakable_kafka: Kafka, topic_prefix: str) -> None:
    topic = a_topic(breakable_kafka, topic_prefix)
    sent = [str(n).encode() for n in range(5_000)]
    send(breakable_kafka, topic, sent)

    breakable_kafka.kill()
    assert not breakable_kafka.is_running()
    breakable_kafka.restart()

    assert read(breakable_kafka, topic) == sent


def test_stopped_broker_starts_again_with_its_data(breakable_kafka: Kafka, topic_prefix: str) -> None:
    topic = a_topic(breakable_kafka, topic_prefix)
    send(breakable_kafka, topic, [b"1"])

    breakable_kafka.stop()
    assert not breakable_kafka.is_running()
    breakable_kafka.restart()

    assert read(breakable_kafka, topic) == [b"1"]


def test_every_test_has_a_prefix_of_its_own(topic_prefix: str, kafka: Kafka) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=kafka.bootstrap)) as admin:
        assert not [name for name in admin.list_topics() if name.startswith(topic_prefix)]


def test_named_broker_is_used_and_not_ours_to_kill(kafka: Kafka) -> None:
    foreign = start_kafka({"KAFKA_BOOTSTRAP": kafka.bootstrap})
    assert foreign.bootstrap == kafka.bootstrap
    with pytest.raises(NoKafkaError, match="not ours"):
        foreign.kill()


def test_no_way_to_a_broker_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoKafkaError, match="install Java 17 and Maven"):
        start_own_kafka({})


def a_topic(kafka: Kafka, prefix: str) -> str:
    name = f"{prefix}clicks"
    with closing(KafkaAdminClient(bootstrap_servers=kafka.bootstrap)) as admin:
        admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    return name


def send(kafka: Kafka, topic: str, values: Sequence[bytes]) -> None:
    """Returns when all are acknowledged."""
    with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap, linger_ms=5)) as producer:
        for acknowledged in [producer.send(topic, value) for value in values]:
            acknowledged.get(ANSWERS_WITHIN_S)


def read(kafka: Kafka, topic: str) -> list[bytes]:
    """All values up to the end that the partition has now."""
    partition = TopicPartition(topic, 0)
    with closing(KafkaConsumer(bootstrap_servers=kafka.bootstrap)) as consumer:
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        end = consumer.end_offsets([partition])[partition]
        values: list[bytes] = []
        while consumer.position(partition) < end:
            batches = consumer.poll(timeout_ms=1_000)
            values += [record.value for record in batches.get(partition, [])]
        return values
