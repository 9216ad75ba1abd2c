"""Events of some records in columns, whichever way they were decoded. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import xxhash

from models.saving import Array
from stream.records.events import Click, Event, Purchase, Search
from stream.records.fetched_records import pieces
from stream.records.plain_events import PlainEvents
from stream.users.admission import NO_ID


@dataclass(frozen=True)
class DecodedEvents:
    """`n` events of any kinds.

    Attributes:
        user_ids: of each.
        subjects: item ids, or queries of searches.
        times_ms: `[n]` int64 event times.
        numbers: `[n]` float64, a click's value, a purchase's worth, and 0 where there is none.
        event_ids: `[n]` uint64 hashes, `NO_ID` where the event has none.
    """

    user_ids: Sequence[str]
    subjects: Sequence[str]
    times_ms: Array
    numbers: Array
    event_ids: Array

    @classmethod
    def of(cls, events: Sequence[Event]) -> Self:
        """Each in its place."""
        return cls(
            [event.user_id for event in events],
            [event.query if isinstance(event, Search) else event.item_id for event in events],
            np.array([event.time_ms for event in events], np.int64),
            np.array([_number(event) for event in events], np.float64),
            _hashed(event.event_id for event in events),
        )

    @classmethod
    def of_plain(cls, events: PlainEvents) -> Self:
        """Each in its place."""
        content = events.content.tobytes().decode("latin-1")  # a character a byte, so that spans hold
        event_ids = np.full(len(events.times_ms), NO_ID, np.uint64)
        with_id = np.flatnonzero(events.event_ids[:, 0] >= 0)
        if len(with_id):
            event_ids[with_id] = _hashed(_texts(content, events.event_ids[with_id]))
        return cls(
            _texts(content, events.users), _texts(content, events.subjects), events.times_ms, events.numbers, event_ids
        )

    def __len__(self) -> int:
        return len(self.user_ids)


def _texts(content: str, spans: Array) -> list[str]:
    """What lies between, which is UTF-8."""
    found = pieces(content, spans)
    return found if all(map(str.isascii, found)) else [text.encode("latin-1").decode() for text in found]


def _hashed(event_ids: Iterable[str | None]) -> Array:
    return np.array([_hash(event_id) for event_id in event_ids], np.uint64)


def _hash(event_id: str | None) -> int:
    """64 bits that are never `NO_ID`; of two different ids one in 2^64 pairs agrees."""
    return NO_ID if event_id is None else xxhash.xxh3_64_intdigest(event_id.encode()) or 1


def _number(event: Event) -> float:
    if isinstance(event, Click):
        return event.value or 0.0
    if isinstance(event, Purchase):
        quantity = 1.0 if event.quantity is None else event.quantity
        return quantity * (1.0 if event.price is None else event.price) + 0.0  # there is but one 0
    return 0.0
