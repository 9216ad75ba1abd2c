"""Reads the two compacted topics from wherever one wants, without a consumer group. Knows no store."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from stream.broker.connection import knock, missing_broker, refused_login
from stream.broker.security import OPEN, Security
from stream.broker.topics import TopicNames, require_topics
from stream.errors import AwayError, ConfigError
from stream.sinks.changes import OutputRecord

BATCH_RECORDS, WAIT_S = 2_000, 0.2  # 2,000 records are one transaction, of about a megabyte at 64 dimensions
ANSWERS_WITHIN_S = 5.0

_silent = logging.Logger("output-log", logging.CRITICAL)  # that the broker is away is said once, by the follower


@dataclass(frozen=True)
class Batch:
    """What came: records in order within a partition, and where the partitions that moved stand after them."""

    records: list[OutputRecord]
    next_offsets: dict[str, int]


class OutputLog:
    """The topics of updates and item vectors. Partitions are named `topic/number`.

    Raises:
        ConfigError: no broker answers, or a topic is missing.
    """

    def __init__(self, broker: str, names: TopicNames, security: Security = OPEN) -> None:
        self._broker, self._items = broker, names.item_vectors
        self._topics = (names.updates, names.item_vectors)
        knock(broker, security)
        config = {
            "bootstrap.servers": broker,
            **security.confluent(),
            "group.id": "interest-stream-sink",  # asked for; never joined, and nothing is committed
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "reconnect.backoff.max.ms": 1_000,
        }
        self._consumer = Consumer(config, logger=_silent)
        self._asker = Consumer(config, logger=_silent)  # on a connection where no fetch is waited for
        require_topics(self._topics, self._existing(security))

    def ranges(self) -> dict[str, range]:
        """From the first offset to the end of every partition, as the broker has them now.

        Raises:
            AwayError: it does not answer.
        """
        return self._asked(self._ranges)

    def start(self, next_offsets: Mapping[str, int]) -> None:
        """Read on from here, whatever was read before."""
        self._consumer.assign([_partition(name, offset) for name, offset in next_offsets.items()])

    def poll(self) -> Batch:
        """What came within a fifth of a second.

        Raises:
            ConfigError: a topic cannot be read.
        """
        batch = Batch([], {})
        for message in self._consumer.consume(BATCH_RECORDS, WAIT_S):
            name, offset = f"{message.topic()}/{message.partition()}", int(message.offset() or 0)
            if (error := message.error()) is None:
                batch.records.append(self._record(message))
                batch.next_offsets[name] = offset + 1
            elif error.code() == KafkaError._PARTITION_EOF:
                batch.next_offsets[name] = offset  # beyond what compaction took away
            elif not error.retriable() and error.code() >= 0:  # below 0 is the client's own trouble, which it mends
                raise ConfigError(f"{message.topic() or 'the topic'} cannot be read: {error.str()}")
        return batch

    def close(self) -> None:
        """Leave."""
        self._consumer.close()
        self._asker.close()

    def _existing(self, security: Security) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._asker.list_topics(timeout=ANSWERS_WITHIN_S).topics
        except KafkaException as error:
            why = error.args[0].str()  # somebody listens there: see `knock`
            raise ConfigError(
                refused_login(self._broker, why) if security.has_sasl else f"{missing_broker(self._broker)} ({why})"
            ) from error
        return found

    def _ranges(self) -> dict[str, range]:
        found = {}
        for topic in self._topics:
            for number in self._asker.list_topics(topic, ANSWERS_WITHIN_S).topics[topic].partitions:
                marks = self._asker.get_watermark_offsets(TopicPartition(topic, number), ANSWERS_WITHIN_S)
                found[f"{topic}/{number}"] = range(*marks)
        return found

    def _asked(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except KafkaException as error:
            raise AwayError(f"the broker at {self._broker}", error.args[0].str()) from error

    def _record(self, message: Message) -> OutputRecord:
        headers: Any = message.headers() or ()
        key: Any = message.key()
        value: Any = message.value()
        return OutputRecord(message.topic() == self._items, key, value, headers)


def _partition(name: str, offset: int) -> TopicPartition:
    topic, _, number = name.rpartition("/")
    return TopicPartition(topic, int(number), offset)
