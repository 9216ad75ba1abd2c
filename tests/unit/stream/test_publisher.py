"""The publisher, and brokers that refuse, fall silent, lose what they heard and move their partitions."""

import asyncio
import logging
import struct
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaConnectionError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
    RequestTimedOutError,
    TopicAuthorizationFailedError,
)
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.memory_records import MemoryRecords
from faust.types import TP

from stream.broker import publisher as publishing
from stream.broker.publisher import Publisher
from stream.errors import StateError
from stream.records.packed_records import PackedRecords
from stream.records.updates import EncodedRecord

OUT_OF_ORDER, DUPLICATE = 45, 46
SEQUENCE_AT = 53

Fault = Callable[[TP], int]  # the code for a partition's batch, which is not taken; 0 where it may be


class Brokers:
    """Two of them, as one producer and its client: they take a batch if it is the partition's next, as Kafka does.

    Attributes:
        logs: values by partition.
        faults: one for each of the next requests.
        leaders: by partition number.
        requests: partitions of each request, and whom it was sent to.
    """

    def __init__(self) -> None:
        self.logs: defaultdict[TP, list[bytes]] = defaultdict(list)
        self.faults: deque[Fault | Exception | None] = deque()
        self.loses_answers = False
        self.leaders = {0: 1, 1: 2, 2: 1}
        self.requests: list[tuple[int, set[int]]] = []
        self.unauthorized_topics: set[str] = set()
        self._sequences: defaultdict[TP, int] = defaultdict(int)
        self._known: dict[int, int] = {}
        self._txn_manager = SimpleNamespace(producer_id=7, producer_epoch=1, transactional_id="name")
        self.client = self.cluster = self

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def add_topic(self, topic: str) -> None: ...

    async def force_metadata_update(self) -> None:
        await asyncio.sleep(0)
        self._known = dict(self.leaders)

    def leader_for_partition(self, tp: Any) -> int | None:
        return self._known.get(tp.partition)

    async def send(self, leader: int, request: ProduceRequest) -> Any:
        batches = [(TP(topic, number), bytes(content)) for topic, some in request._topics for number, content in some]
        self.requests.append((leader, {tp.partition for tp, _ in batches}))
        await asyncio.sleep(0)
        fault = self.faults.popleft() if self.faults else None
        if isinstance(fault, Exception) and not self.loses_answers:
            raise fault
        codes = [self._take(leader, tp, content, fault if callable(fault) else None) for tp, content in batches]
        if isinstance(fault, Exception):
            raise fault
        topics = [(tp.topic, [(tp.partition, code, 0)]) for (tp, _), code in zip(batches, codes, strict=True)]
        return SimpleNamespace(topics=topics)

    def _take(self, leader: int, tp: TP, content: bytes, fault: Fault | None) -> int:
        if fault is not None and (code := fault(tp)):
            return code
        if self.leaders[tp.partition] != leader:
            return NotLeaderForPartitionError.errno
        (sequence,) = struct.unpack_from(">i", content, SEQUENCE_AT)
        if sequence != self._sequences[tp]:
            return DUPLICATE if sequence < self._sequences[tp] else OUT_OF_ORDER
        batch: Any = MemoryRecords(content).next_batch()
        values = [record.value for record in batch]
        self._sequences[tp] += len(values)
        self.logs[tp] += values
        return 0


@pytest.fixture
def brokers(monkeypatch: pytest.MonkeyPatch) -> Brokers:
    brokers = Brokers()
    monkeypatch.setattr(publishing, "AIOKafkaProducer", lambda **options: brokers)
    monkeypatch.setattr(publishing, "RETRY_AFTER_S", 0.001)
    return brokers


def packed(values: Iterable[int]) -> PackedRecords:
    return PackedRecords.of(EncodedRecord(b"key", b"%d" % value) for value in values)


async def publish(num_sends: int = 20) -> Publisher:
    """Send 0 to 9, 10 to 19 and so on to two partitions, mostly while requests are under way."""
    publisher = Publisher({}, "name", check_ownership=lambda: None)
    await publisher.start()
    for number in range(num_sends):
        some = packed(range(10 * number, 10 * number + 10))
        await publisher.send("updates", {0: some, 1: some, 2: packed([])} if number % 2 else {0: some, 1: some})
        if number % 3 == 0:
            await asyncio.sleep(0.002)
    await publisher.flush()
    return publisher


def logged(brokers: Brokers) -> dict[int, list[int]]:
    return {tp.partition: [int(value) for value in values] for tp, values in brokers.logs.items()}


ALL = {0: list(range(200)), 1: list(range(200))}


async def test_each_leader_gets_what_is_for_its_partitions_in_order(brokers):
    await publish()
    assert logged(brokers) == ALL
    assert {leader for leader, _ in brokers.requests} == {1, 2}


async def test_records_that_wait_go_together(brokers):
    publisher = Publisher({}, "name", check_ownership=lambda: None)
    for value in range(50):
        await publisher.send("updates", {0: packed([value]), 2: packed([value])})
    await publisher.flush()
    assert logged(brokers) == {0: list(range(50)), 2: list(range(50))}
    assert brokers.requests[-1] == (1, {0, 2})
    assert len(brokers.requests) <= 2


@pytest.mark.parametrize("loses_answers", [False, True])
@pytest.mark.parametrize("error", [KafkaConnectionError(), RequestTimedOutError()])
async def test_requests_and_answers_that_are_lost_leave_each_record_once_and_in_order(brokers, error, loses_answers):
    brokers.loses_answers = loses_answers
    brokers.faults.extend([None, error, error, None, error])
    await publish()
    assert logged(brokers) == ALL


async def test_a_partition_that_is_refused_for_now_is_sent_again_and_the_others_go_on(brokers):
    brokers.faults.extend([lambda tp: 19 * (tp.partition == 0)] * 4)  # not enough replicas
    await publish()
    assert logged(brokers) == ALL


async def test_an_outage_is_told_of_once_and_so_is_its_end(brokers, caplog):
    caplog.set_level(logging.INFO)
    brokers.faults.extend([KafkaConnectionError()] * 9)
    publisher = Publisher({}, "name", check_ownership=lambda: None)
    await publisher.send("updates", {0: packed([1])})
    await publisher.flush()
    first, last = caplog.messages
    assert "updates-0: trying again" in first
    assert "KafkaConnectionError" in first
    assert last == "updates-0: delivered after all"


async def test_a_partition_is_followed_to_its_new_leader(brokers):
    await publish(2)
    brokers.leaders = {0: 2, 1: 1, 2: 1}
    publisher = Publisher({}, "name", check_ownership=lambda: None)
    publisher._lanes[TP("updates", 0)].sequence = publisher._lanes[TP("updates", 1)].sequence = 20
    await publisher.send("updates", {0: packed([20]), 1: packed([20])})
    await publisher.flush()
    assert logged(brokers) == {0: list(range(21)), 1: list(range(21))}


async def test_a_partition_without_a_leader_is_waited_for(brokers):
    brokers.leaders = {0: 1}
    sending = asyncio.create_task(publish(2))
    await asyncio.sleep(0.02)
    assert logged(brokers) == {0: list(range(20))}
    brokers.leaders = {0: 1, 1: 2}
    await sending
    assert logged(brokers)[1] == list(range(20))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (InvalidProducerEpoch.errno, StateError),
        (MessageSizeTooLargeError.errno, MessageSizeTooLargeError),
        (TopicAuthorizationFailedError.errno, TopicAuthorizationFailedError),
    ],
)
async def test_what_can_never_be_delivered_is_told_to_whoever_sends_or_waits(brokers, code, error):
    brokers.faults.append(lambda tp: code)
    with pytest.raises(error):
        await publish()
    brokers.faults.clear()


async def test_nothing_is_sent_once_another_process_has_taken_over(brokers):
    def check_ownership() -> None:
        raise StateError("taken over")

    publisher = Publisher({}, "name", check_ownership)
    await publisher.send("updates", {0: packed([1])})
    with pytest.raises(StateError, match="taken over"):
        await publisher.flush()
    assert not brokers.requests


async def test_sending_waits_while_too_much_is_unacknowledged(brokers, monkeypatch):
    monkeypatch.setattr(publishing, "MAX_UNACKNOWLEDGED", 5)
    publisher = Publisher({}, "name", check_ownership=lambda: None)
    await publisher.send("updates", {0: packed(range(5))})
    assert not brokers.requests
    await publisher.send("updates", {0: packed(range(5, 9))})
    assert logged(brokers) == {0: list(range(5))}
    await publisher.flush()
    assert logged(brokers) == {0: list(range(9))}
