"""The Faust transport: what was fetched of a topic is one message, offsets are committed only when we say so.

A message's value is `Runs`, each partition's records as aiokafka parses them. Stock Faust spends four tasks on every
record; here it spends them on every fetch. Registered as `batch://` through the entry point group `faust.transports`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import aiokafka
from aiokafka.errors import ConsumerStoppedError, IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message
from mode import ServiceT

from stream.broker.fetch_sessions import SessionClient
from stream.broker.loop_consumer import LoopConsumer
from stream.broker.plain_records import PlainRecords
from stream.broker.positions import Positions


@dataclass(frozen=True)
class Run:
    """Records of one partition that were fetched together.

    Attributes:
        records: at least one, in log order: as aiokafka parses them, or `FetchedRecords`.
        read_from: the offset from which the log was read to get them; None where that is not known.
    """

    records: Sequence[Any]
    read_from: int | None


Runs = Mapping[TP, Run]  # of one fetch


class BatchConsumer(driver.Consumer):
    """Hands over what was fetched of a topic at once; Faust's own bookkeeping of acknowledgements has no say.

    The app it belongs to may have an attribute `positions` (`Positions`): where it knows a partition, that decides
    where to read on, not the committed offset. It may also have `fetch_max_wait_ms`.
    """

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _RunReader(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: ServiceT) -> None:
        """Hand over what is fetched until `fetcher` stops; offsets are judged by `Positions`."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                async for _, message in self.getmany(timeout=1.0):
                    await self.wait_first(self.callback(message), self.suspend_flow.wait())
                await asyncio.sleep(0)
        except (ConsumerStoppedError, asyncio.CancelledError):
            if not self.app.should_stop:  # else Faust would take what stops it for a rebalance, and crash
                raise

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:  # noqa: ASYNC109 (Faust's signature)
        """Yield the runs of each topic as one message, under the name of one of its partitions."""
        run_of, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if run_of is None or self.should_stop:
            return
        if not self.flow_active:  # fetched across a rebalance: what we drop here must be read again
            await self.perform_seek()
            return
        for runs in self._by_topic(cast(Runs, run_of), active).values():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            yield next(iter(runs)), _as_message(runs, generation)

    def _by_topic(self, run_of: Runs, active: set[TP] | None) -> dict[str, dict[TP, Run]]:
        """The runs that are wanted."""
        by_topic: dict[str, dict[TP, Run]] = {}
        for tp, run in run_of.items():
            if active is None or tp in active or tp in self._buffered_partitions:
                self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
                by_topic.setdefault(tp.topic, {})[tp] = run
        return by_topic

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

    async def _seek(self, partition: TP, offset: int) -> None:
        """Read on from `offset`; a partition that was revoked a moment ago is let go, and sought when it comes back."""
        with contextlib.suppress(IllegalStateError):
            await super()._seek(partition, offset)

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


class _RunReader(LoopConsumer):
    """Knows from where each run of records was read.

    Where Faust says 1.5 s whatever the app wants, the app's `fetch_max_wait_ms` decides.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._read_to: dict[TP, int] = {}
        self._read_to_of: object = None
        """The assignment that `_read_to` belongs to: with another one aiokafka moves all positions."""

    async def _fetch_records(  # type: ignore[override]  # what is fetched goes nowhere but to `BatchConsumer.getmany`
        self, consumer: aiokafka.AIOKafkaConsumer, *args: Any, **options: Any
    ) -> dict[TP, Run]:
        """Nothing else runs between the fetch that returns and what is noted of it."""
        records_of = await super()._fetch_records(consumer, *args, **options)
        self._forget_unless_assigned(consumer)
        runs = {}
        for tp, records in records_of.items():
            if records:
                runs[tp] = Run(records, self._read_to.get(tp))
                self._read_to[tp] = records[-1].offset + 1
        return runs

    def seek(self, partition: TP, offset: int) -> None:
        """Read a partition from `offset` on."""
        consumer = self._ensure_consumer()
        consumer.seek(partition, offset)
        self._forget_unless_assigned(consumer)
        self._read_to[partition] = offset

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek all partitions; until their own seek, nobody knows from where they are read."""
        self._read_to_of = None
        try:
            return await super().seek_to_committed()
        finally:
            self._read_to_of = None

    def _forget_unless_assigned(self, consumer: aiokafka.AIOKafkaConsumer) -> None:
        subscription = consumer._subscription.subscription
        assignment = subscription and subscription.assignment
        if assignment is not self._read_to_of:
            self._read_to, self._read_to_of = {}, assignment

    async def on_start(self) -> None:
        """Start the consumer."""
        await super().on_start()
        fetcher: Any = self._ensure_consumer()._fetcher
        fetcher._records = PlainRecords()
        fetcher._client = SessionClient(fetcher._client, fetcher._records.note)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Complain of nothing: a partition without traffic is not heard of. The app's watchdog looks at the lag."""

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = getattr(self.app, "fetch_max_wait_ms", consumer._fetch_max_wait_ms)
        return consumer


class Transport(driver.Transport):
    """aiokafka's transport with the batch consumer."""

    Consumer = BatchConsumer


def _as_message(runs: Runs, generation: int) -> Message:
    tp, run = next(iter(runs.items()))
    last = run.records[-1]
    return ConsumerMessage(
        tp.topic,
        tp.partition,
        last.offset,
        last.timestamp / 1000,
        0,
        None,
        None,
        runs,  # type: ignore[arg-type]  # bytes to Faust, which with raw serializers hands it on untouched
        None,
        0,
        0,
        tp,
        generation_id=generation,
    )
