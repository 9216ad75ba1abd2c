"""Sends records in batches to given partitions, in order, and knows when all of them have been acknowledged."""

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    DuplicateSequenceNumber,
    InvalidProducerEpoch,
    KafkaError,
    LeaderNotAvailableError,
    NoError,
    ProducerFenced,
    TopicAuthorizationFailedError,
    for_code,
)
from faust.types import TP

from stream.broker.produce_request import BatchesRequest
from stream.errors import StateError
from stream.records.packed_records import PackedRecords
from stream.records.record_batch import HEAD_BYTES, Origin, RecordBatch, next_sequence, record_batch

MAX_BATCH_BYTES = 512 * 1024
ROOM_BYTES = MAX_BATCH_BYTES - HEAD_BYTES
MAX_UNACKNOWLEDGED = 65_536  # records, about 75 MB of JSON updates; then sending waits, and so does the whole flow
RETRY_AFTER_S = 0.1
NO_LEADER = -1

logger = logging.getLogger(__name__)


class _Lane:
    """What is on its way to one partition.

    Attributes:
        waiting: records in order, not laid out yet.
        batch: the one that comes before them and is not acknowledged; however often it is sent, it stays as it is.
        sequence: of the first record in `waiting`.
        is_under_way: some broker has been sent the batch and has not answered.
        is_refused: the last attempt to deliver it failed.
    """

    def __init__(self) -> None:
        self.waiting: deque[PackedRecords] = deque()
        self.batch: RecordBatch | None = None
        self.sequence = 0
        self.is_under_way = False
        self.is_refused = False

    def take(self) -> PackedRecords:
        """The first that wait: more than a batch holds only where they came together."""
        taken = [self.waiting.popleft()]
        room = ROOM_BYTES - taken[0].max_bytes
        while self.waiting and self.waiting[0].max_bytes <= room:
            room -= self.waiting[0].max_bytes
            taken.append(self.waiting.popleft())
        return PackedRecords.joined(taken)


class Publisher:
    """An idempotent producer of whole batches: under 1 us a record where one by one it takes 30.

    A broker gets one request at a time, with a batch for each of its partitions that records wait for, so order holds
    whatever fails; what comes meanwhile makes the next request. A broker that is away is waited for.

    Args:
        connection: arguments of the producer that say how to reach the broker.
        name: what all workers of one state have in common. Starting under it bars those that started before: the
            broker refuses what they send to a partition that this one has sent to, however late it arrives.
        check_ownership: raises where another process has taken over; asked before every request.
        on_delivered: told how many seconds a request took to be acknowledged.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        name: str,
        check_ownership: Callable[[], None],
        on_delivered: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """Must be called on the event loop that it will run on."""
        self._producer = AIOKafkaProducer(**connection, acks="all", enable_idempotence=True, transactional_id=name)
        self._check_ownership = check_ownership
        self._on_delivered = on_delivered
        self._lanes: defaultdict[TP, _Lane] = defaultdict(_Lane)
        self._loaded: dict[TP, _Lane] = {}
        self._requests: dict[int | None, asyncio.Task[None]] = {}
        self._failure: BaseException | None = None
        self._num_unacknowledged = 0
        self._has_news = asyncio.Event()

    async def start(self) -> None:
        """Connect, and bar earlier workers.

        A transactional id makes the broker give out the producer's id with a higher epoch each time. That is all we
        want of it: without transactions nobody has to wait for their end, and reading costs nothing.
        """
        await self._producer.start()
        self._producer._txn_manager.transactional_id = None

    async def send(self, topic: str, records_of: Mapping[int, PackedRecords]) -> None:
        """Queue the records of each partition; waits only while too many are unacknowledged.

        Raises:
            KafkaError: an earlier record can never be delivered.
        """
        await self._until(lambda: self._num_unacknowledged < MAX_UNACKNOWLEDGED)
        for partition, records in records_of.items():
            if len(records):
                tp = TP(topic, partition)
                lane = self._loaded[tp] = self._lanes[tp]
                lane.waiting.append(records)
                self._num_unacknowledged += len(records)
        self._send_what_waits()

    async def flush(self) -> None:
        """Return when everything sent so far is acknowledged.

        Raises:
            KafkaError: something can never be delivered.
        """
        await self._until(lambda: self._num_unacknowledged == 0)

    async def stop(self) -> None:
        """Disconnect. What is not acknowledged is given up: the next process makes it again from its checkpoint."""
        for request in self._requests.values():
            request.cancel()
        await self._producer.stop()

    async def _until(self, predicate: Callable[[], bool]) -> None:
        while self._failure is None and not predicate():
            self._has_news.clear()
            await self._has_news.wait()
        if self._failure is not None:
            raise self._failure

    def _send_what_waits(self) -> None:
        """Begin a request to each broker that has none and leads partitions that something waits for."""
        by_leader = defaultdict[int | None, dict[TP, _Lane]](dict)
        for tp, lane in self._loaded.items():
            if not lane.is_under_way:
                by_leader[self._leader_of(tp)][tp] = lane
        for leader, lanes in by_leader.items():
            if leader not in self._requests and self._failure is None:
                for lane in lanes.values():
                    lane.is_under_way = leader is not None
                deliver = self._find_leaders(lanes) if leader is None else self._deliver(leader, lanes)
                self._requests[leader] = request = asyncio.create_task(deliver, name=f"publish to {leader}")
                request.add_done_callback(partial(self._note_ended, leader))

    def _note_ended(self, leader: int | None, request: asyncio.Task[None]) -> None:
        del self._requests[leader]
        if not request.cancelled():
            self._failure = self._failure or request.exception()
            self._send_what_waits()
        self._has_news.set()

    async def _find_leaders(self, tps: Collection[TP]) -> None:
        """Ask the brokers who leads these partitions."""
        client = self._producer.client
        for topic in {tp.topic for tp in tps}:
            client.add_topic(topic)
        await client.force_metadata_update()
        for tp in tps:
            if tp.topic in client.cluster.unauthorized_topics:
                raise TopicAuthorizationFailedError(tp.topic)
        if missing := [tp for tp in tps if self._leader_of(tp) is None]:
            self._tell_once(dict.fromkeys(missing, LeaderNotAvailableError()))
            await asyncio.sleep(RETRY_AFTER_S)

    def _leader_of(self, tp: TP) -> int | None:
        """The broker's id; None while nobody knows, or there is none."""
        leader: int | None = self._producer.client.cluster.leader_for_partition(TopicPartition(*tp))
        return None if leader == NO_LEADER else leader

    async def _deliver(self, leader: int, lanes: Mapping[TP, _Lane]) -> None:
        """Send a batch of each lane, and take the answer to heart."""
        began_s = time.monotonic()
        self._check_ownership()
        batches = {tp: self._batch(lane) for tp, lane in lanes.items()}
        try:
            answer = await self._producer.client.send(leader, BatchesRequest(batches))
        except KafkaError as error:
            if not error.retriable:
                raise
            refusals = dict.fromkeys(lanes, error)
        else:
            refusals = self._accept(answer, lanes)
            self._on_delivered(time.monotonic() - began_s)
        finally:
            for lane in lanes.values():
                lane.is_under_way = False
        if refusals:
            await self._prepare_retry(refusals)

    def _batch(self, lane: _Lane) -> RecordBatch:
        """The one that is to be sent first."""
        if lane.batch is None:
            manager = self._producer._txn_manager
            origin = Origin(manager.producer_id, manager.producer_epoch, lane.sequence)
            records = lane.take()
            lane.batch = record_batch(records, origin, int(time.time() * 1000), MAX_BATCH_BYTES)
            if left := len(records) - lane.batch.num_records:
                lane.waiting.appendleft(records.parts([lane.batch.num_records, left])[1])
            lane.sequence = next_sequence(lane.sequence, lane.batch.num_records)
        return lane.batch

    def _accept(self, answer: Any, lanes: Mapping[TP, _Lane]) -> dict[TP, KafkaError]:
        """Let go what is acknowledged; errors of the others, which are worth another try.

        Raises:
            StateError: another worker publishes in place of this one.
            KafkaError: something can never be delivered.
        """
        refusals: dict[TP, KafkaError] = {}
        for topic, partitions in answer.topics:
            for partition, code, *_ in partitions:
                tp = TP(topic, partition)
                error = for_code(code)
                if error in (NoError, DuplicateSequenceNumber):
                    self._let_go(tp, lanes[tp])
                elif error in (InvalidProducerEpoch, ProducerFenced):
                    raise StateError("another worker has begun to publish under the same app_id; this one ends")
                elif error.retriable:
                    refusals[tp] = error()
                else:
                    raise error(f"{topic}-{partition}")
        return refusals

    def _let_go(self, tp: TP, lane: _Lane) -> None:
        if lane.batch is not None:
            self._num_unacknowledged -= lane.batch.num_records
        lane.batch = None
        if lane.is_refused:
            lane.is_refused = False
            logger.info("%s-%d: delivered after all", *tp, extra=_about(tp))
        if not lane.waiting:
            del self._loaded[tp]

    async def _prepare_retry(self, refusals: Mapping[TP, KafkaError]) -> None:
        self._tell_once(refusals)
        if any(getattr(error, "invalid_metadata", False) for error in refusals.values()):
            await self._producer.client.force_metadata_update()
        await asyncio.sleep(RETRY_AFTER_S)

    def _tell_once(self, refusals: Mapping[TP, KafkaError]) -> None:
        for tp, error in refusals.items():
            if not self._lanes[tp].is_refused:
                self._lanes[tp].is_refused = True
                logger.warning("%s-%d: trying again until it is delivered: %r", *tp, error, extra=_about(tp))


def _about(tp: TP) -> dict[str, Any]:
    return {"topic": tp.topic, "partition": tp.partition}
