"""Reads one topic without a consumer group, from its beginning or from now on. Knows no record's layout."""

import time
from collections.abc import Iterator
from typing import Any, Protocol

from kafka import KafkaConsumer, TopicPartition

from stream.broker.closing import LeftByClosing
from stream.broker.connection import ApiVersion, broker_errors, connect
from stream.broker.security import OPEN, Security
from stream.errors import ConfigError

MAX_RECORDS_A_POLL = 5_000  # some megabytes of vectors
FETCH_MAX_WAIT_MS = 50  # a real broker ends an idle fetch at the first record; the mock cluster sometimes waits


class Record(Protocol):
    """What kafka-python hands over."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    partition: int
    offset: int


class TopicReader(LeftByClosing):
    """All partitions of a topic, merged as they come; in order within a partition. A context manager; not thread-safe.

    The positions are fixed when the constructor returns: what is produced afterwards is read.
    """

    def __init__(
        self,
        broker: str,
        topic: str,
        from_beginning: bool = False,
        api_version: ApiVersion | None = None,
        security: Security = OPEN,
    ) -> None:
        self._broker = broker
        self._consumer: Any = connect(
            KafkaConsumer,
            broker,
            api_version,
            security,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # where the broker has deleted what we stood at
            max_poll_records=MAX_RECORDS_A_POLL,
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
        )
        partitions = self._consumer.partitions_for_topic(topic)
        if not partitions:
            self._consumer.close()
            raise ConfigError(f"there is no topic {topic} at {broker}; `interest-stream topics create` makes it")
        self._partitions = [TopicPartition(topic, partition) for partition in sorted(partitions)]
        self._consumer.assign(self._partitions)
        if from_beginning:
            self.rewind()
        else:
            self._consumer.seek_to_end(*self._partitions)
            for partition in self._partitions:
                self._consumer.position(partition)

    def rewind(self) -> None:
        """Go on from the beginning."""
        self._consumer.seek_to_beginning(*self._partitions)

    def poll(self, timeout_s: float = 0.1) -> list[Record]:
        """The records that came; empty when none came in time."""
        with broker_errors(self._broker):
            polled = self._consumer.poll(timeout_ms=int(timeout_s * 1000))
        return [record for records in polled.values() for record in records]

    def until_end(self, timeout_s: float = 60.0) -> Iterator[Record]:
        """The records up to what is the end now.

        Raises:
            ConfigError: the end was not reached in time.
        """
        ends = self._consumer.end_offsets(self._partitions)
        deadline = time.monotonic() + timeout_s
        while any(self._consumer.position(partition) < ends[partition] for partition in self._partitions):
            yield from self.poll()
            if time.monotonic() > deadline:
                raise ConfigError(
                    f"{self._broker} did not hand over a whole topic in {timeout_s:g} s; allow it more time"
                )

    def close(self) -> None:
        """Leave; nothing was committed."""
        self._consumer.close()
