"""Sends many event records quickly; confluent-kafka has 20 times kafka-python's rate. Knows not where they are from."""

import logging
from collections import Counter
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from stream.broker.connection import knock, missing_broker, refused_login
from stream.broker.security import OPEN, Security
from stream.broker.topics import TopicNames, require_topics
from stream.errors import ConfigError
from stream.records.updates import EncodedRecord

CONNECT_TIMEOUT_S = 5.0
DELIVERY_TIMEOUT_S = 120.0
BUFFERED_RECORDS = 200_000  # some 60 MB; a full buffer makes `send` wait
# The partitioner that agrees with kafka-python, aiokafka and Java on every key; librdkafka's own default does not.
PARTITIONER = "murmur2_random"

_silent = logging.Logger("bulk-producer", logging.CRITICAL)  # what goes wrong is raised, not logged


class BulkProducer:
    """A context manager; leaving it waits until the broker has everything, unless an error leaves it.

    Attributes:
        delivered: records that the broker has, by topic.
    """

    def __init__(self, broker: str, topics: TopicNames, linger_ms: int = 20, security: Security = OPEN) -> None:
        self.delivered: Counter[str] = Counter()
        self._broker = broker
        self._topics, self._dead_letters = topics.inputs, topics.dead_letters
        self._num_failed = 0
        self._first_failure = ""
        self._refusal = ""
        knock(broker, security)
        self._producer = Producer(
            {
                "bootstrap.servers": broker,
                **security.confluent(),
                "error_cb": self._on_error,
                "partitioner": PARTITIONER,
                "linger.ms": linger_ms,
                "enable.idempotence": True,
                "queue.buffering.max.messages": BUFFERED_RECORDS,
                "message.timeout.ms": int(DELIVERY_TIMEOUT_S * 1000),
            },
            logger=_silent,
        )
        self._check()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.flush()
        else:
            self._producer.purge()

    def send(self, event_kind: int, key: bytes, value: bytes) -> None:
        """Send a record to the topic of its kind; waits only while the buffer is full."""
        self._produce(self._topics[event_kind], EncodedRecord(key, value))

    def send_dead_letter(self, letter: EncodedRecord) -> None:
        """Send a record to the dead letters; waits only while the buffer is full."""
        self._produce(self._dead_letters, letter)

    def _produce(self, topic: str, record: EncodedRecord) -> None:
        while True:
            try:
                self._producer.produce(
                    topic, record.value, record.key, headers=list(record.headers), on_delivery=self._on_delivery
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                break

    def poll(self) -> None:
        """Count what was delivered since; call it now and then."""
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until the broker has everything.

        Raises:
            ConfigError: it does not; the sentence says how many events are missing and why.
        """
        waiting = self._producer.flush(DELIVERY_TIMEOUT_S)
        if waiting or self._num_failed:
            why = self._first_failure or "no answer in time"
            raise ConfigError(f"{waiting + self._num_failed} events were not delivered to {self._broker}: {why}")

    def _check(self) -> None:
        try:
            existing = self._producer.list_topics(timeout=CONNECT_TIMEOUT_S).topics
        except KafkaException as error:
            self._producer.poll(0)  # tells `_on_error` why
            if self._refusal:
                raise ConfigError(refused_login(self._broker, self._refusal)) from error
            raise ConfigError(f"{missing_broker(self._broker)} ({error})") from error
        require_topics(self._topics, existing)

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._AUTHENTICATION:
            self._refusal = error.str()

    def _on_delivery(self, error: Any, message: Message) -> None:
        if error is None:
            self.delivered[str(message.topic())] += 1
        else:
            self._num_failed += 1
            self._first_failure = self._first_failure or error.str()
