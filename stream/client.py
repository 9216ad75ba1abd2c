"""The clients for other programs: send events, follow interests and item vectors. Plain Python on kafka-python."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from kafka import KafkaProducer
from kafka.errors import KafkaError

from stream.broker.closing import LeftByClosing
from stream.broker.connection import ApiVersion, broker_errors, connect
from stream.broker.security import OPEN, Security
from stream.broker.topic_reader import Record, TopicReader
from stream.broker.topics import TopicAdmin, TopicNames
from stream.errors import ConfigError, EventError
from stream.nearest import VectorTable
from stream.records.events import KIND_OF_EVENT_CLASS, Click, Event, Purchase, Search, decode_event, encode_event
from stream.records.updates import Headers, InterestUpdate, decode_item_vector, decode_update

logger = logging.getLogger(__name__)

LINGER_MS = 5  # records of 5 ms travel together
DELIVERY_TIMEOUT_S = 120.0

T = TypeVar("T")
Decode = Callable[[bytes, bytes, Headers], T]


class EventProducer(LeftByClosing):
    """Sends events, each to the topic of its kind with the user as its key. A context manager.

    Leaving the `with` block waits until the broker has everything. Sending does not block, but for a full buffer.

    Raises:
        ConfigError: no broker answers, or a topic is missing.
    """

    def __init__(
        self,
        broker: str = "localhost:9092",
        *,
        topics: TopicNames | None = None,
        api_version: ApiVersion | None = None,
        security: Security = OPEN,
    ) -> None:
        self._broker = broker
        self._topics = topics or TopicNames.default()
        with TopicAdmin(broker, api_version, security) as admin:
            admin.require(self._topics.inputs)
        self._producer: Any = connect(KafkaProducer, broker, api_version, security, linger_ms=LINGER_MS)
        self._undelivered: list[KafkaError] = []

    def click(self, user_id: str, item_id: str, time_ms: int | None = None, **more: Any) -> None:
        """Send a click; `time_ms` is now unless said. `more`: other fields of `Click`."""
        self.send(Click(user_id, item_id, _now_ms() if time_ms is None else time_ms, **more))

    def purchase(self, user_id: str, item_id: str, time_ms: int | None = None, **more: Any) -> None:
        """Send a purchase; `time_ms` is now unless said. `more`: other fields of `Purchase`."""
        self.send(Purchase(user_id, item_id, _now_ms() if time_ms is None else time_ms, **more))

    def search(self, user_id: str, query: str, time_ms: int | None = None, **more: Any) -> None:
        """Send a search; `time_ms` is now unless said. `more`: other fields of `Search`."""
        self.send(Search(user_id, query, _now_ms() if time_ms is None else time_ms, **more))

    def send(self, event: Event) -> None:
        """Send an event.

        Raises:
            EventError: a worker would refuse it; nothing was sent.
        """
        key, value = checked_record(event)
        topic = self._topics.inputs[KIND_OF_EVENT_CLASS[type(event)]]
        with broker_errors(self._broker):
            self._producer.send(topic, key=key, value=value).add_errback(self._undelivered.append)

    def flush(self) -> None:
        """Wait until the broker has everything that was sent.

        Raises:
            ConfigError: it does not have everything; the sentence says how many events are missing and why.
        """
        with broker_errors(self._broker):
            self._producer.flush(timeout=DELIVERY_TIMEOUT_S)
        if self._undelivered:
            failed, self._undelivered = self._undelivered, []
            raise ConfigError(f"{len(failed)} events were not delivered to {self._broker}: {failed[0]}") from failed[0]

    def close(self) -> None:
        """Flush, then leave."""
        try:
            self.flush()
        finally:
            self._producer.close()


def checked_record(event: Event) -> tuple[bytes, bytes]:
    """The key and value of an event that a worker will take.

    Raises:
        EventError: it would become a dead letter.
    """
    try:
        key, value = encode_event(event)
    except UnicodeEncodeError as error:
        raise EventError("not_utf8", str(error)) from None
    if decode_event(KIND_OF_EVENT_CLASS[type(event)], key, value) != event:
        raise EventError("not_an_event", f"expected finite numbers and plain strings, got {event}")
    return key, value


class _Follower(LeftByClosing):
    """What follows a compacted topic. A context manager.

    Attributes:
        num_unreadable: records dropped because they are not what the topic is for.
    """

    def __init__(self, reader: TopicReader) -> None:
        self._reader = reader
        self.num_unreadable = 0

    def close(self) -> None:
        """Leave."""
        self._reader.close()

    def _decoded(self, decode: Decode[T], key: bytes, value: bytes, record: Record) -> T | None:
        """What is in a record; None, and counted, if it cannot be read. Of an unknown schema it raises."""
        try:
            return decode(key, value, record.headers)
        except EventError as error:
            if error.reason == "unknown_schema":
                raise
            logger.warning("record %d/%d cannot be read: %s", record.partition, record.offset, error)
            self.num_unreadable += 1
            return None


class InterestSubscriber(_Follower):
    """Follows the users' interests. Iterate over it: it waits for ever and yields every newer update of every user.

    An update that is not newer than what was seen of its user is dropped: after a crash the worker sends some again.
    An erased user leaves `users` and is told to `on_erased`; iteration does not yield it. The newest update of each
    user seen is kept in `users`; memory grows with the users, by about 3 KB each at 64 dimensions.

    Attributes:
        users: the newest update of each user seen so far.
        num_stale: updates dropped because they were not newer.
        num_unreadable: records dropped because they are no updates.
    """

    def __init__(
        self,
        broker: str = "localhost:9092",
        from_beginning: bool = False,
        *,
        topic: str | None = None,
        on_erased: Callable[[str], None] = lambda user_id: None,
        api_version: ApiVersion | None = None,
        security: Security = OPEN,
    ) -> None:
        topic = topic or TopicNames.default().updates
        super().__init__(TopicReader(broker, topic, from_beginning, api_version, security))
        self._on_erased = on_erased
        self.users: dict[str, InterestUpdate] = {}
        self.num_stale = 0

    def __iter__(self) -> Iterator[InterestUpdate]:
        while True:
            yield from self.poll()

    def poll(self, timeout_s: float = 0.1) -> list[InterestUpdate]:
        """The newer updates that came; empty when none came in time."""
        return list(self._newer(self._reader.poll(timeout_s)))

    def snapshot(self, timeout_s: float = 60.0) -> dict[str, InterestUpdate]:
        """The newest update of every user up to now, read from the compacted beginning; then goes on from there.

        Raises:
            ConfigError: the broker did not hand everything over in time.
        """
        self._reader.rewind()
        for _ in self._newer(self._reader.until_end(timeout_s)):
            pass
        return dict(self.users)

    def _newer(self, records: Iterable[Record]) -> Iterator[InterestUpdate]:
        for record in records:
            if record.key is None:
                self.num_unreadable += 1
            elif record.value is None:
                user_id = record.key.decode(errors="replace")
                self.users.pop(user_id, None)
                self._on_erased(user_id)
            elif (update := self._decoded(decode_update, record.key, record.value, record)) is not None:
                known = self.users.get(update.user_id)
                if known is not None and update.version <= known.version:
                    self.num_stale += 1
                    continue
                self.users[update.user_id] = update
                yield update


class ItemVectors(_Follower):
    """Follows the items' vectors and finds the nearest ones of an interest.

    Attributes:
        table: the newest vector of each item.
    """

    def __init__(
        self,
        broker: str = "localhost:9092",
        *,
        topic: str | None = None,
        api_version: ApiVersion | None = None,
        security: Security = OPEN,
    ) -> None:
        topic = topic or TopicNames.default().item_vectors
        super().__init__(TopicReader(broker, topic, True, api_version, security))
        self.table = VectorTable()

    def poll(self, timeout_s: float = 0.0) -> Counter[str]:
        """Take in what came; how often each item came."""
        return self._take(self._reader.poll(timeout_s))

    def fill(self, timeout_s: float = 60.0) -> None:
        """Take in everything up to now.

        Raises:
            ConfigError: the broker did not hand everything over in time.
        """
        self._take(self._reader.until_end(timeout_s))

    def nearest(self, interest: list[float], k: int = 10) -> list[tuple[str, float]]:
        """The items with the largest cosine to the interest, best first, and their cosines."""
        return self.table.nearest(interest, k)

    def _take(self, records: Iterable[Record]) -> Counter[str]:
        taken: Counter[str] = Counter()
        for record in records:
            if record.key is None:
                continue
            if record.value is None:
                self.table.drop(record.key.decode(errors="replace"))
                continue
            if (item := self._decoded(decode_item_vector, record.key, record.value, record)) is not None:
                self.table.put(item.item_id, item.vector)
                taken[item.item_id] += 1
        return taken


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
