"""Notices a worker that makes no progress though records wait: Faust's consumers are known to fall silent."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faust.types import TP

LOOKS_PER_LIMIT = 6  # a stall is noticed a sixth of the limit late at the most
LOOKS_EVERY_S = 2.0  # at least, so that the metrics' lag is of now; a look is two small requests
BROKER_ANSWERS_WITHIN_S = 10.0
PROBE_WAITS_MS = 100
PROBE_BYTES = 65_536  # of a partition: one record is enough to know that some wait

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stall:
    """For how long nothing was applied, and what waits."""

    seconds: float
    lag: int

    def __str__(self) -> str:
        return f"nothing was applied for {self.seconds:.0f} s while {self.lag} records wait"


class Watchdog:
    """Tells when there has been lag without progress for `limit_s`.

    Attributes:
        stalled_s: for how long that was so at the last look.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._num_applied = -1
        self._since_s = 0.0
        self.stalled_s = 0.0

    @property
    def looks_every_s(self) -> float:
        """Time between two looks."""
        return min(LOOKS_EVERY_S, self._limit_s / LOOKS_PER_LIMIT)

    def look(self, now_s: float, num_applied: int, lag: int | None) -> Stall | None:
        """Judge the worker at one moment.

        Args:
            now_s: of a clock that never goes back.
            num_applied: records applied so far.
            lag: records that wait in Kafka; None while the broker does not say, which is not the worker's fault.
        """
        if num_applied != self._num_applied or not lag:
            self._num_applied, self._since_s, self.stalled_s = num_applied, now_s, 0.0
            return None
        self.stalled_s = now_s - self._since_s
        return Stall(self.stalled_s, lag) if self.stalled_s >= self._limit_s else None


class LagMeter:
    """Asks the broker how much there is to do, by a connection of its own: the worker's consumer may be what is stuck.

    Args:
        connection: arguments of the consumer that say how to reach the broker.
        partitions: of the input topics.

    Attributes:
        lags: what was found last, by partition; empty if the broker did not say.
    """

    def __init__(self, connection: Mapping[str, Any], partitions: Iterable[TP]) -> None:
        """Must be called on the event loop that it will run on."""
        self._partitions = [TopicPartition(*tp) for tp in partitions]
        self._consumer = AIOKafkaConsumer(
            **connection,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_partition_fetch_bytes=PROBE_BYTES,
        )
        self.lags: dict[TP, int] = {}

    async def start(self) -> None:
        """Connect."""
        await self._consumer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def lag(self, next_offsets: Mapping[TP, int]) -> int | None:
        """Offsets from `next_offsets`, or a partition's beginning, to the end; None if the broker does not say.

        A partition counts only if a record is there: the last offsets of its log may be transaction markers.
        """
        try:
            async with asyncio.timeout(BROKER_ANSWERS_WITHIN_S):
                self.lags = await self._measure(next_offsets)
        except (KafkaError, TimeoutError):
            self.lags = {}
            return None
        return sum(self.lags.values())

    async def _measure(self, next_offsets: Mapping[TP, int]) -> dict[TP, int]:
        ends = await self._consumer.end_offsets(self._partitions)
        begins = await self._consumer.beginning_offsets(self._partitions)
        lags = dict.fromkeys((TP(*tp) for tp in self._partitions), 0)
        for tp in self._partitions:
            read_to = max(begins[tp], next_offsets.get(TP(*tp), 0))
            if ends[tp] > read_to and await self._has_record(tp, read_to, ends[tp]):
                lags[TP(*tp)] = ends[tp] - read_to
        return lags

    async def _has_record(self, tp: TopicPartition, start: int, end: int) -> bool:
        """Whether there is a record from `start` on, before `end`."""
        self._consumer.assign([tp])
        self._consumer.seek(tp, start)
        try:
            while await self._consumer.position(tp) < end:
                if records := await self._consumer.getmany(tp, timeout_ms=PROBE_WAITS_MS, max_records=1):
                    return bool(records[tp][0].offset < end)
        finally:
            self._consumer.unsubscribe()  # else it goes on fetching
        return False


async def watch(
    watchdog: Watchdog,
    meter: LagMeter,
    progress: Callable[[], tuple[int, Mapping[TP, int]]],
    on_stall: Callable[[Stall], None],
) -> None:
    """Look for ever; tell of a stall once.

    Args:
        watchdog: says how long is too long.
        meter: what there is to do.
        progress: records applied so far, and the next offsets.
        on_stall: what is to happen then.
    """
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(watchdog.looks_every_s)
        num_applied, next_offsets = progress()
        if stall := watchdog.look(loop.time(), num_applied, await meter.lag(next_offsets)):
            on_stall(stall)
            return
