"""A Kafka broker inside this process: librdkafka's mock cluster. For the demo and quick tests; it dies with us.

It keeps 5 MB of a partition, makes topics of four partitions when they are first named, and knows neither CreateTopics
nor configurations; kafka-python needs `MOCK_API_VERSION` to talk to it.
"""

import logging
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from confluent_kafka import Producer

MOCK_API_VERSION = (2, 0)
MOCK_PARTITIONS = 4
START_TIMEOUT_S = 10

_silent = logging.Logger("embedded-broker", logging.CRITICAL)  # librdkafka announces its mock cluster as a warning


class EmbeddedBroker:
    """A context manager; the broker answers between enter and exit.

    Attributes:
        bootstrap: its address, `127.0.0.1:port`.
    """

    def __init__(self, topics: Iterable[str] = ()) -> None:
        self._topics = list(topics)
        self._cluster: Producer | None = None
        self.bootstrap = ""

    def __enter__(self) -> Self:
        self._cluster = Producer({"test.mock.num.brokers": 1}, logger=_silent)
        broker = next(iter(self._cluster.list_topics(timeout=START_TIMEOUT_S).brokers.values()))
        self.bootstrap = f"{broker.host}:{broker.port}"
        for topic in self._topics:
            self._cluster.list_topics(topic, timeout=START_TIMEOUT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cluster = None
