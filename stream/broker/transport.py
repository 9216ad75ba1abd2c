"""The Faust transport: a partition batch is one message, offsets are committed only when we say so.

A message's value is the list of the partition's aiokafka records. Stock Faust spends four tasks on every record; here
it spends them on every batch. Registered under `batch://` through the entry point group `faust.transports`.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import aiokafka
from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message

from stream.broker.positions import Positions


class BatchConsumer(driver.Consumer):
    """Hands over whole partition batches; Faust's own bookkeeping of acknowledgements has no say.

    The app it belongs to may have an attribute `positions` (`Positions`): where it knows a partition, that decides
    where to read on, not the committed offset. It may also have `fetch_max_wait_ms`.
    """

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:  # noqa: ASYNC109 (Faust's signature)
        """Yield each partition's records as one message."""
        records_of, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if records_of is None or self.should_stop:
            return
        if not self.flow_active:  # fetched across a rebalance: what we drop here must be read again
            await self.perform_seek()
            return
        for tp, records in records_of.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            if records and (active is None or tp in active or tp in self._buffered_partitions):
                self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
                yield tp, _as_message(tp, records, generation)

    async def perform_seek(self) -> None:
        """Seek to the committed offsets, or, where the app's state knows better, to its own.

        Partitions without a committed offset stay where they are if nobody knows better, and that may be behind a
        batch that a rebalance has swallowed: so their beginning is noted before anything is fetched.
        """
        await super().perform_seek()
        positions: Positions | None = getattr(self.app, "positions", None)
        if positions is None:
            return
        if unknown := self.assignment() - positions.seek_offsets().keys():
            earliest = await self.earliest_offsets(*unknown)
            positions.begin_at({tp: self._committed_offset.get(tp) or earliest[tp] for tp in unknown})
        assigned = self.assignment()
        for tp, offset in positions.seek_offsets().items():
            if tp in assigned:
                await self.seek(tp, offset)

    async def seek(self, partition: TP, offset: int) -> None:
        """Read on from `offset`; a partition that was revoked a moment ago is let go, and sought when it comes back."""
        with contextlib.suppress(IllegalStateError):
            await super().seek(partition, offset)

    def ack(self, message: Message) -> bool:
        """Forget the message. Faust's list of acknowledged offsets would grow by an entry a batch for ever."""
        self._unacked_messages.discard(message)
        return False

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Keep no gaps: continuity is judged by `Positions`."""

    def _new_offset(self, tp: TP) -> None:
        """Never let Faust commit: 0.15.3 can commit past a message that is not processed (its issue 606)."""

    async def commit_exactly(self, next_offset_of: Mapping[TP, int]) -> bool:
        """Commit the next offsets of a complete checkpoint, of the partitions that are still ours.

        Returns:
            Whether the broker took them. A commit that meets a rebalance is refused; the next checkpoint repeats it.
        """
        assigned = self.assignment()
        ours = {tp: offset for tp, offset in next_offset_of.items() if tp in assigned}
        return bool(ours) and bool(await self._commit(ours))


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    """Where Faust says 1.5 s whatever the app wants, the app's `fetch_max_wait_ms` decides."""

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = getattr(self.app, "fetch_max_wait_ms", consumer._fetch_max_wait_ms)
        return consumer


class Transport(driver.Transport):
    """aiokafka's transport with the batch consumer."""

    Consumer = BatchConsumer


def _as_message(tp: TP, records: Sequence[Any], generation: int) -> Message:
    last = records[-1]
    return ConsumerMessage(
        tp.topic,
        tp.partition,
        last.offset,
        last.timestamp / 1000,
        last.timestamp_type,
        None,
        None,
        records,  # type: ignore[arg-type]  # bytes to Faust, which with raw serializers hands it on untouched
        None,
        0,
        0,
        tp,
        generation_id=generation,
    )
