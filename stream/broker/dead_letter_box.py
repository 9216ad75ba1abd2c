"""Reads the dead letters and sends the records in them back to where they came from."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from kafka import KafkaProducer

from stream.broker.connection import broker_errors, connect
from stream.broker.security import OPEN, Security
from stream.broker.topic_reader import Record, TopicReader
from stream.errors import ConfigError


class DeadLetter(msgspec.Struct, frozen=True):
    """A record that could not be used.

    Attributes:
        offset: its own, in the topic of dead letters.
        source: topic, partition and offset of the record, joined by slashes.
        is_cut: whether the value was too long to be kept whole; such a record cannot be sent back.
    """

    offset: int
    reason: str
    detail: str
    source_topic: str
    source: str
    failed_at_ms: int
    key: bytes | None
    value: bytes | None
    is_cut: bool

    @classmethod
    def of(cls, record: Record) -> "DeadLetter":
        """The dead letter in a record; what a foreign record lacks is empty."""
        header = {name: value.decode(errors="replace") for name, value in record.headers}
        topic, partition, offset = (header.get(f"source.{part}", "") for part in ("topic", "partition", "offset"))
        return cls(
            offset=record.offset,
            reason=header.get("error.reason", ""),
            detail=header.get("error.detail", ""),
            source_topic=topic,
            source=f"{topic}/{partition}/{offset}",
            failed_at_ms=int(header.get("failed_at_ms", "0")),
            key=record.key,
            value=record.value,
            is_cut="value.cut_from_bytes" in header,
        )


def read_dead_letters(
    broker: str, topic: str, reason: str | None = None, after: int = -1, security: Security = OPEN
) -> Iterator[DeadLetter]:
    """The dead letters up to now, oldest first; only of a reason, only beyond an offset, where asked for."""
    with TopicReader(broker, topic, from_beginning=True, security=security) as reader:
        for record in reader.until_end():
            letter = DeadLetter.of(record)
            if letter.offset > after and reason in (None, letter.reason):
                yield letter


def send_back(
    broker: str, letters: Iterable[DeadLetter], topics: Iterable[str], security: Security = OPEN
) -> tuple[list[DeadLetter], int]:
    """Send the records to their source topics, where these are among `topics`; waits for delivery.

    Returns:
        The letters whose records were sent, and how many were not: cut, or from elsewhere.

    Raises:
        ConfigError: the broker did not take them.
    """
    allowed = set(topics)
    producer: Any = connect(KafkaProducer, broker, security=security)
    sent, pending, num_kept_back = [], [], 0
    try:
        with broker_errors(broker):
            for letter in letters:
                if letter.is_cut or letter.source_topic not in allowed:
                    num_kept_back += 1
                    continue
                pending.append(producer.send(letter.source_topic, key=letter.key, value=letter.value))
                sent.append(letter)
            producer.flush()
            for future in pending:
                if not future.succeeded():
                    raise ConfigError(f"a dead letter could not be sent back: {future.exception}")
    finally:
        producer.close()
    return sent, num_kept_back
