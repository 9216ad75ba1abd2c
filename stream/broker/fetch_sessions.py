"""Fetches that name what has changed since the last one, not every partition (Kafka's KIP-227, which aiokafka lacks).

With 4 topics of 16 partitions a fetch costs aiokafka a millisecond, whatever comes of it: it writes 64 partitions into
each request and reads 64 out of each answer. A broker that remembers them is told of, and tells of, some few.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest, FetchRequestStruct

FIRST_VERSION = 7  # of fetch requests, Kafka 1.1; older brokers are named all partitions
LAST_EPOCH = 2**31 - 1

_Partition = tuple[str, int]
_Wanted = tuple[int, int]  # offset, bytes at the most


@dataclass
class FetchSession:
    """What one broker remembers. After anything but an answer it is begun anew: nobody knows what the broker heard."""

    id: int = 0
    epoch: int = 0
    """0 in a request that names all partitions and begins a session, in place of `id`'s if that is not 0."""
    remembered: dict[_Partition, _Wanted] = field(default_factory=dict)

    def request(self, whole: FetchRequest) -> "SessionRequest":
        """What is to be sent in place of a request that names all partitions; then call `heard` or `lose`."""
        wanted = {(topic, number): (at, size) for topic, some in whole.topics for number, at, size in some}
        known = self.remembered if self.epoch else {}
        changed = {partition: what for partition, what in wanted.items() if known.get(partition) != what}
        forgotten = [partition for partition in known if partition not in wanted]
        self.remembered = wanted
        return SessionRequest(whole, self, changed, forgotten)

    def heard(self, response: Any) -> None:
        """The broker has answered."""
        if getattr(response, "error_code", 0):
            self.lose()
            return
        self.id = getattr(response, "session_id", 0)
        self.epoch = self.epoch % LAST_EPOCH + 1 if self.id else 0

    def lose(self) -> None:
        """There is no answer, or a refusal."""
        self.epoch = 0


class SessionRequest(FetchRequest):
    """The changes of a session, for a broker that has sessions, and the whole request for others."""

    def __init__(
        self,
        whole: FetchRequest,
        session: FetchSession,
        changed: dict[_Partition, _Wanted],
        forgotten: list[_Partition],
    ) -> None:
        self.__dict__.update(whole.__dict__)
        self._session_id, self._epoch = session.id, session.epoch
        self._changed, self._forgotten = changed, forgotten

    def build(self, request_struct_class: type[FetchRequestStruct]) -> FetchRequestStruct:
        """As the broker's version has it."""
        if request_struct_class.API_VERSION < FIRST_VERSION:
            return super().build(request_struct_class)
        changed: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        for (topic, partition), (offset, size) in self._changed.items():
            changed[topic].append((partition, offset, size))
        forgotten: dict[str, list[int]] = defaultdict(list)
        for topic, partition in self._forgotten:
            forgotten[topic].append(partition)
        self._topics = list(changed.items())
        built: Any = super().build(request_struct_class)
        built.session_id, built.session_epoch = self._session_id, self._epoch
        built.forgotten_topics_data = list(forgotten.items())
        return built


class SessionClient:
    """aiokafka's client as its fetcher sees it: fetches, of which each broker has one at a time, go in sessions.

    Args:
        client: sends them.
        note: called with each answer before the fetcher sees it.
    """

    def __init__(self, client: AIOKafkaClient, note: Callable[[Any], None] = lambda response: None) -> None:
        self._client, self._note = client, note
        self._sessions: defaultdict[int, FetchSession] = defaultdict(FetchSession)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, node_id: int, request: Any) -> Any:
        """As the client's."""
        if not isinstance(request, FetchRequest):
            return await self._client.send(node_id, request)
        session = self._sessions[node_id]
        try:
            response = await self._client.send(node_id, session.request(request))
        except BaseException:
            session.lose()
            raise
        session.heard(response)
        self._note(response)
        return response
