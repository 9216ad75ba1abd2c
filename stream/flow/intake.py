"""The bounded queue between the agents and the updater: it is the backpressure. Runs on the event loop only."""

import asyncio
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from faust.types import TP

from stream.broker.positions import Positions
from stream.flow.decoded_events import DecodedEvents
from stream.records.erasures import Erasure
from stream.records.events import Event
from stream.records.updates import EncodedRecord


@dataclass(frozen=True)
class Chunk:
    """A decoded run of consecutive records of one partition.

    Attributes:
        tp: topic and partition of the records.
        kind: index into `KINDS` of its topic, or `ERASURES`.
        next_offset: one past the last record.
        num_records: all records of the run, refused ones included.
        events: what could be decoded, in log order.
        hashes: `[len(events)]` uint64, of each event's record value.
        dead_letters: the others, ready to be sent.
        erasures: in place of events, in log order.
        timestamp_ms: Kafka's timestamp of the first record, epoch milliseconds.
    """

    tp: TP
    kind: int
    next_offset: int
    num_records: int
    events: list[Event] | DecodedEvents
    hashes: np.ndarray
    dead_letters: list[EncodedRecord]
    erasures: list[Erasure] = field(default_factory=list)
    timestamp_ms: int = 0

    def times_ms(self, step: int) -> list[int]:
        """Event times of each `step`-th event."""
        if isinstance(self.events, DecodedEvents):
            times_ms: list[int] = self.events.times_ms[::step].tolist()
            return times_ms
        return [event.time_ms for event in self.events[::step]]


class Intake:
    """Chunks in the order of their arrival; holds at most about `max_records` records.

    Args:
        max_records: `put` waits while this many records are queued.
        positions: told what is queued, taken and dropped.
    """

    def __init__(self, max_records: int, positions: Positions) -> None:
        self._max_records = max_records
        self._positions = positions
        self._chunks: deque[Chunk] = deque()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._has_chunks = asyncio.Event()
        self.num_records = 0
        self.dropped_generation = 0
        """Grows when partitions are dropped, so that an agent notices that its run went stale while it waited."""

    async def put(self, chunk: Chunk) -> bool:
        """Queue a chunk, waiting for room; False, and nothing queued, if a rebalance dropped partitions meanwhile."""
        generation = self.dropped_generation
        while self.num_records >= self._max_records:
            self._has_room.clear()
            await self._has_room.wait()
        if generation != self.dropped_generation:
            return False
        self._chunks.append(chunk)
        self.num_records += chunk.num_records
        self._positions.queued(chunk.tp, chunk.next_offset)
        self._has_chunks.set()
        return True

    def take(self, max_records: int) -> list[Chunk]:
        """What is there, up to `max_records` records (one chunk at least), without waiting."""
        taken: list[Chunk] = []
        room = max_records
        while self._chunks and (not taken or self._chunks[0].num_records <= room):
            chunk = self._chunks.popleft()
            room -= chunk.num_records
            self._positions.taken(chunk.tp, chunk.next_offset)
            taken.append(chunk)
        self.num_records -= sum(chunk.num_records for chunk in taken)
        self._signal()
        return taken

    def drop(self, tps: Collection[TP]) -> None:
        """Forget what is queued of partitions that are revoked; they are read again if they come back."""
        self.dropped_generation += 1
        self._chunks = deque(chunk for chunk in self._chunks if chunk.tp not in tps)
        self.num_records = sum(chunk.num_records for chunk in self._chunks)
        self._positions.rewind(tps)
        self._signal()

    async def wait(self, timeout_s: float) -> None:
        """Return when there is a chunk to take, or after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._has_chunks.wait()
        except TimeoutError:
            return

    def wake(self) -> None:
        """End a `wait` that is going on."""
        self._has_chunks.set()

    def _signal(self) -> None:
        if not self._chunks:
            self._has_chunks.clear()
        if self.num_records < self._max_records:
            self._has_room.set()
