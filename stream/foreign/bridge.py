"""From a topic of foreign events to ours.

Offsets are committed after delivery, and every event has an id: a record that is sent on twice counts once.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaException, Message

from models.inputs.features import KINDS
from stream.broker.bulk_producer import BulkProducer
from stream.broker.security import OPEN, Security
from stream.errors import AwayError, ConfigError, EventError
from stream.foreign.mapping import EventMapper
from stream.outage import Outage
from stream.records.dead_letters import dead_letter
from stream.records.events import KIND_OF_EVENT_CLASS, encode_event

ToJson = Callable[[bytes], bytes]

BATCH_RECORDS, WAIT_S = 2_000, 0.5
LONGEST_PAUSE_MS = 86_400_000  # between two reads, while a registry is away; a dead process is noticed by its heartbeat
CLOUDEVENT_HEADER = "ce_"  # binary mode: attributes are headers, and the value is the data

logger = logging.getLogger(__name__)


@dataclass
class BridgeCounts:
    """What became of the records so far."""

    records: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    without_events: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    away: str = ""
    """Which other system is waited for; empty while none is."""


IsOver = Callable[[BridgeCounts], bool]


@dataclass(frozen=True)
class Source:
    """Where a record is from, and what it holds."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class Bridge:
    """Reads `topic` for the group `group` and sends on. A context manager.

    Args:
        broker: bootstrap address.
        topic: of foreign events.
        group: its offsets are committed.
        mapper: reads the format.
        producer: of our topics.
        security: how to be let in.
        to_json: what a record holds as JSON, where it is something else.
    """

    def __init__(
        self,
        broker: str,
        topic: str,
        group: str,
        mapper: EventMapper,
        producer: BulkProducer,
        *,
        security: Security = OPEN,
        to_json: ToJson = lambda value: value,
    ) -> None:
        self.counts = BridgeCounts()
        self._mapper, self._producer, self._to_json = mapper, producer, to_json
        self._outage = Outage()
        self._consumer = Consumer(
            {
                "bootstrap.servers": broker,
                **security.confluent(),
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "enable.partition.eof": False,
                "max.poll.interval.ms": LONGEST_PAUSE_MS,
            }
        )
        self._consumer.subscribe([topic])

    def __enter__(self) -> "Bridge":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def run(self, is_over: IsOver) -> None:
        """Go on until `is_over`, which is asked after each batch and twice a second.

        While a schema cannot be had, because the registry is away, it waits there and commits nothing.

        Raises:
            ConfigError: the topic cannot be read, or ours not be written.
        """
        while not is_over(self.counts):
            messages = self._consumer.consume(BATCH_RECORDS, WAIT_S)
            try:
                for message in messages:
                    self._pass_on(message, is_over)
            except AwayError:
                return  # it is over: the next start reads this batch again
            if messages:
                self._producer.flush()
                self._commit()

    def _pass_on(self, message: Message, is_over: IsOver) -> None:
        if (error := message.error()) is not None:
            raise ConfigError(f"{message.topic() or 'the topic'} cannot be read: {error.str()}")
        source = _source(message)
        self.counts.records += 1
        try:
            if source.value is not None:
                source = replace(source, value=_enveloped(self._read(source.value, is_over), message))
            events = self._mapper.events(source.value)
        except EventError as refused:
            self.counts.refused[refused.reason] += 1
            letter = dead_letter((source.topic, source.partition), source, refused, int(time.time() * 1000))
            self._producer.send_dead_letter(letter)
            return
        self.counts.without_events += not events
        for event in events:
            kind = KIND_OF_EVENT_CLASS[type(event)]
            self._producer.send(kind, *encode_event(event))
            self.counts.sent[KINDS[kind]] += 1

    def _read(self, value: bytes, is_over: IsOver) -> bytes:
        """The value as JSON, once whoever knows its schema answers.

        Raises:
            AwayError: it is over before.
        """
        while True:
            try:
                json = self._to_json(value)
            except AwayError as error:
                self.counts.away = error.who
                self._outage.wait(error, lambda: is_over(self.counts))
                if is_over(self.counts):
                    raise
            else:
                self.counts.away = ""
                self._outage.is_over()
                return json

    def _commit(self) -> None:
        try:
            self._consumer.commit(asynchronous=False)
        except KafkaException as error:
            logger.warning("offsets not committed, what was sent is sent once more and dropped as known: %s", error)


def _source(message: Message) -> Source:
    topic, partition, offset = str(message.topic()), int(message.partition() or 0), int(message.offset() or 0)
    return Source(topic, partition, offset, _bytes(message.key()), _bytes(message.value()))


def _enveloped(value: bytes, message: Message) -> bytes:
    """The value; a CloudEvent in binary mode as it would be in JSON."""
    headers: list[tuple[str, Any]] = list(message.headers() or [])  # type: ignore[arg-type]
    attributes = {
        name.removeprefix(CLOUDEVENT_HEADER): bytes(word or b"").decode(errors="replace")
        for name, word in headers
        if name.startswith(CLOUDEVENT_HEADER)
    }
    if "specversion" not in attributes:
        return value
    return msgspec.json.encode({**attributes, "data": msgspec.Raw(value)})


def _bytes(value: Any) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
