"""Events, records and chunks with defaults, so that a test says only what matters to it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from faust.types import TP

from models.inputs.features import CLICK, PURCHASE, SEARCH
from stream.flow.agents import decode_chunk
from stream.flow.intake import Chunk
from stream.records.events import KIND_OF_EVENT_CLASS, Click, Event, Purchase, Search, encode_event
from stream.users.admission import AdmissionPolicy

NOW_MS = 1_700_000_000_000
TOPIC_OF_KIND = {CLICK: "clicks", PURCHASE: "purchases", SEARCH: "searches"}
A_POLICY = AdmissionPolicy(allowed_lateness_ms=1_000, max_future_ms=100)


@dataclass(frozen=True)
class ARecord:
    """What a consumed Kafka record has."""

    value: bytes | None
    key: bytes | None = b"u1"
    topic: str = "clicks"
    partition: int = 0
    offset: int = 0
    timestamp: int = NOW_MS


def a_click(user: str = "u1", item: str = "i1", time_ms: int = NOW_MS, event_id: str | None = None) -> Click:
    return Click(user, item, time_ms, event_id=event_id)


def a_purchase(user: str = "u1", item: str = "i1", time_ms: int = NOW_MS, price: float | None = None) -> Purchase:
    return Purchase(user, item, time_ms, price=price)


def a_search(user: str = "u1", query: str = "red shoes", time_ms: int = NOW_MS) -> Search:
    return Search(user, query, time_ms)


def a_chunk(events: Sequence[Event], partition: int = 0, first_offset: int = 0) -> Chunk:
    """A chunk of events that are all of one kind, as the agent of their topic would make it."""
    kind = KIND_OF_EVENT_CLASS[type(events[0])]
    tp = TP(TOPIC_OF_KIND[kind], partition)
    records = []
    for offset, event in enumerate(events, first_offset):
        key, value = encode_event(event)
        records.append(ARecord(value, key, tp.topic, partition, offset))
    return decode_chunk(tp, kind, records, A_POLICY, NOW_MS)


def column(*values: float, dtype: object = np.int64) -> np.ndarray:
    """Values as an array; `int64` unless told otherwise."""
    return np.array(values, dtype)  # type: ignore[call-overload]
