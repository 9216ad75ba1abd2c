"""The agents: a partition's records become chunks of events or erasures, and dead letters, in the intake."""

import logging
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

import faust
import numpy as np
import xxhash
from faust.types import TP, StreamT

from stream.broker.positions import Drop, Positions, SeekTo
from stream.broker.transport import Run
from stream.errors import EventError
from stream.flow.decoded_events import DecodedEvents
from stream.flow.intake import Chunk, Intake
from stream.records.dead_letters import SourceRecord, dead_letter
from stream.records.erasures import ERASURES, decode_erasure
from stream.records.events import Event, decode_event
from stream.records.fetched_records import FetchedRecords
from stream.records.plain_events import PlainEvents
from stream.records.updates import EncodedRecord
from stream.users.admission import AdmissionPolicy, refuse_future

logger = logging.getLogger(__name__)

CHUNK_RECORDS = 256  # decoded in about 0.3 ms, so that the event loop stays responsive


class Record(SourceRecord, Protocol):
    """What is read of a consumed record."""

    @property
    def timestamp(self) -> int:
        """Epoch milliseconds."""


Decode = Callable[[TP, Sequence[Record], int], Chunk]  # a run of records, and now in epoch milliseconds


class BatchAgents:
    """What the agents share: where records arrive, are judged, decoded and queued.

    Args:
        app: asked for the assignment, and to seek.
        intake: gets the chunks.
        positions: judges continuity.
        policy: refuses events from the future.
    """

    def __init__(self, app: faust.App, intake: Intake, positions: Positions, policy: AdmissionPolicy) -> None:
        self._app = app
        self._intake = intake
        self._positions = positions
        self._policy = policy

    def register(self, topic: str, kind: int) -> None:
        """Give the app an agent that reads `topic`, whose events are of `kind`."""
        self._register(topic, lambda tp, records, now_ms: decode_chunk(tp, kind, records, self._policy, now_ms))

    def register_erasures(self, topic: str) -> None:
        """Give the app an agent that reads `topic`, whose records are erasures."""
        self._register(topic, lambda tp, records, now_ms: decode_erasures(tp, records, self._policy, now_ms))

    def _register(self, topic: str, decode: Decode) -> None:
        channel = self._app.topic(topic, key_serializer="raw", value_serializer="raw", value_type=bytes)

        async def agent(batches: StreamT[Any]) -> None:
            async for event in batches.events():
                for tp, run in event.value.items():
                    await self._take(tp, decode, run)

        self._app.agent(channel, name=topic)(agent)

    async def _take(self, tp: TP, decode: Decode, run: Run) -> None:
        if tp not in self._app.consumer.assignment():
            return
        records = run.records
        offsets = range(records[0].offset, records[-1].offset + 1)
        verdict = self._positions.arrive(tp, offsets, run.read_from)
        if isinstance(verdict, SeekTo):
            logger.info("%s/%d: records are missing before %s, reading again from %d", *tp, offsets, verdict.offset)
            await self._app.consumer.seek(tp, verdict.offset)
        if isinstance(verdict, SeekTo | Drop):
            return
        fresh = records[bisect_left(records, offsets.start + verdict.num_known, key=attrgetter("offset")) :]
        for start in range(0, len(fresh), CHUNK_RECORDS):
            chunk = decode(tp, fresh[start : start + CHUNK_RECORDS], int(time.time() * 1000))
            if not await self._intake.put(chunk):
                return


def decode_chunk(tp: TP, kind: int, records: Sequence[Record], policy: AdmissionPolicy, now_ms: int) -> Chunk:
    """The events of a run of records, and dead letters for those that cannot be used.

    Args:
        tp: where they come from.
        kind: of the events, an index into `KINDS`.
        records: consecutive, at least one.
        policy: refuses events from the future.
        now_ms: written on dead letters.
    """
    decoded = _together(kind, records, policy) or _one_by_one(tp, kind, records, policy, now_ms)
    return Chunk(
        tp,
        kind,
        next_offset=records[-1].offset + 1,
        num_records=len(records),
        events=decoded.events,
        hashes=np.array(decoded.hashes, np.uint64),
        dead_letters=decoded.dead_letters,
        timestamp_ms=records[0].timestamp,
    )


class _Decoded(NamedTuple):
    """As of `Chunk`."""

    events: list[Event] | DecodedEvents
    hashes: list[int]
    dead_letters: list[EncodedRecord]


def _together(kind: int, records: Sequence[Record], policy: AdmissionPolicy) -> _Decoded | None:
    """None where one of them needs a closer look, or all are few."""
    if not isinstance(records, FetchedRecords):
        return None
    events = PlainEvents.of(kind, records, policy.max_future_ms)
    if events is None:
        return None
    return _Decoded(DecodedEvents.of_plain(events), [*map(xxhash.xxh3_64_intdigest, records.values())], [])


def _one_by_one(tp: TP, kind: int, records: Sequence[Record], policy: AdmissionPolicy, now_ms: int) -> _Decoded:
    events, hashes, dead_letters = list[Event](), list[int](), list[EncodedRecord]()
    for record in records:
        try:
            event = decode_event(kind, record.key, record.value)
            refuse_future(event, record.timestamp, policy)
        except EventError as error:
            dead_letters.append(dead_letter(tp, record, error, now_ms))
            continue
        events.append(event)
        hashes.append(xxhash.xxh3_64_intdigest(record.value or b""))
    return _Decoded(events, hashes, dead_letters)


def decode_erasures(tp: TP, records: Sequence[Record], policy: AdmissionPolicy, now_ms: int) -> Chunk:
    """The erasures of a run of records, and dead letters for those that cannot be used; as `decode_chunk`."""
    erasures, dead_letters = [], []
    for record in records:
        try:
            erasures.append(decode_erasure(record.key, record.value, record.timestamp, policy.max_future_ms))
        except EventError as error:
            dead_letters.append(dead_letter(tp, record, error, now_ms))
    none = np.zeros(0, np.uint64)
    return Chunk(tp, ERASURES, records[-1].offset + 1, len(records), [], none, dead_letters, erasures)
