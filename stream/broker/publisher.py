"""Sends records in batches to given partitions, in order, and knows when all of them have been acknowledged."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, ProducerFenced
from aiokafka.producer.message_accumulator import BatchBuilder
from faust.types import TP

from stream.errors import StateError
from stream.records.updates import EncodedRecord

MAX_BATCH_BYTES = 512 * 1024
MAX_UNACKNOWLEDGED = 65_536  # records, about 50 MB of JSON updates; then sending waits, and so does the whole flow
RETRY_AFTER_S = 1.0

logger = logging.getLogger(__name__)


class Publisher:
    """An idempotent producer of whole batches: 2 us a record where one by one it takes 30.

    Each partition has one batch under way at a time, so order holds whatever fails; what comes meanwhile makes the next
    batch. A broker that is away is waited for.

    Args:
        connection: arguments of the producer that say how to reach the broker.
        name: what all workers of one state have in common. Starting under it bars those that started before: the
            broker refuses what they send to a partition that this one has sent to, however late it arrives.
        check_ownership: raises where another process has taken over; asked before every batch.
        on_delivered: told how many seconds a batch took to be acknowledged.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        name: str,
        check_ownership: Callable[[], None],
        on_delivered: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """Must be called on the event loop that it will run on."""
        self._producer = AIOKafkaProducer(
            **connection, acks="all", enable_idempotence=True, max_batch_size=MAX_BATCH_BYTES, transactional_id=name
        )
        self._check_ownership = check_ownership
        self._on_delivered = on_delivered
        self._waiting: dict[TP, list[EncodedRecord]] = {}
        self._lanes: dict[TP, asyncio.Task[None]] = {}
        self._num_unacknowledged = 0
        self._acknowledged = asyncio.Condition()

    async def start(self) -> None:
        """Connect, and bar earlier workers.

        A transactional id makes the broker give out the producer's id with a higher epoch each time. That is all we
        want of it: without transactions nobody has to wait for their end, and reading costs nothing.
        """
        await self._producer.start()
        self._producer._txn_manager.transactional_id = None

    async def send(self, topic: str, records_of: Mapping[int, Sequence[EncodedRecord]]) -> None:
        """Queue the records of each partition; waits only while too many are unacknowledged.

        Raises:
            KafkaError: an earlier record can never be delivered.
        """
        await self._until(lambda: self._num_unacknowledged < MAX_UNACKNOWLEDGED)
        for partition, records in records_of.items():
            tp = TP(topic, partition)
            self._waiting.setdefault(tp, []).extend(records)
            self._num_unacknowledged += len(records)
            if tp not in self._lanes:
                self._lanes[tp] = asyncio.create_task(self._drain(tp), name=f"publish {topic}-{partition}")

    async def flush(self) -> None:
        """Return when everything sent so far is acknowledged.

        Raises:
            KafkaError: something can never be delivered.
        """
        await self._until(lambda: self._num_unacknowledged == 0)

    async def stop(self) -> None:
        """Disconnect. What is not acknowledged is given up: the next process makes it again from its checkpoint."""
        for lane in self._lanes.values():
            lane.cancel()
        await self._producer.stop()

    async def _until(self, predicate: Callable[[], bool]) -> None:
        async with self._acknowledged:
            await self._acknowledged.wait_for(lambda: predicate() or self._failed() is not None)
        if failed := self._failed():
            raise failed

    def _failed(self) -> BaseException | None:
        ended = (lane for lane in self._lanes.values() if lane.done() and not lane.cancelled())
        return next((error for lane in ended if (error := lane.exception())), None)

    async def _drain(self, tp: TP) -> None:
        """Send what waits for `tp` until nothing does."""
        waiting = self._waiting[tp]
        try:
            while waiting:
                batch, num_records = self._batch(waiting)
                if not await self._deliver(batch, tp):
                    await asyncio.sleep(RETRY_AFTER_S)
                    continue
                del waiting[:num_records]
                self._num_unacknowledged -= num_records
                async with self._acknowledged:
                    self._acknowledged.notify_all()
            del self._lanes[tp]
        finally:
            async with self._acknowledged:
                self._acknowledged.notify_all()

    def _batch(self, waiting: Sequence[EncodedRecord]) -> tuple[BatchBuilder, int]:
        """As many of the first records as fit, at least one."""
        batch = self._producer.create_batch()
        append, now_ms = batch._builder.append, int(time.time() * 1000)  # its own `append` takes twice as long
        for record in waiting:
            if append(batch._relative_offset, now_ms, record.key, record.value, list(record.headers)) is None:
                break
            batch._relative_offset += 1
        return batch, batch.record_count()

    async def _deliver(self, batch: BatchBuilder, tp: TP) -> bool:
        """Whether the batch is acknowledged; False if it is worth another try."""
        self._check_ownership()
        began_s = time.monotonic()
        try:
            acknowledged = await self._producer.send_batch(batch, tp.topic, partition=tp.partition)
            await acknowledged
        except ProducerFenced:
            raise StateError("another worker has begun to publish under the same app_id; this one ends") from None
        except KafkaError as error:
            if not (error.retriable or isinstance(error, KafkaTimeoutError)):
                raise
            about = {"topic": tp.topic, "partition": tp.partition}
            logger.warning("%s-%d: not delivered yet, trying again: %r", *tp, error, extra=about)
            return False
        self._on_delivered(time.monotonic() - began_s)
        return True
