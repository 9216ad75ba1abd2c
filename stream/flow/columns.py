"""Events as columns: what the vectorised flow works on. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import xxhash

from models.inputs.features import SEARCH
from models.saving import Array
from stream.flow.intake import Chunk
from stream.records.events import Click, Event, Purchase, Search
from stream.users.admission import NO_ID


@dataclass(frozen=True)
class EventColumns:
    """Events in the order of their arrival, a column a field, `[n]` each.

    Attributes:
        user_ids: user ids, objects.
        subjects: item ids, or queries where `kinds` is `SEARCH`, objects.
        kinds: int8, an index into `KINDS`.
        times_ms: int64 event times.
        values: float16 in [-1, 1], 0 where the event has none.
        event_ids: uint64 hashes, `NO_ID` where the event has none.
        hashes: uint64 hashes of the records' values, for the ledger.
        partitions: int32, the partition the event came from.
    """

    user_ids: Array
    subjects: Array
    kinds: Array
    times_ms: Array
    values: Array
    event_ids: Array
    hashes: Array
    partitions: Array

    @classmethod
    def of_chunks(cls, chunks: Sequence[Chunk]) -> Self:
        """The events of `chunks`, one chunk after the other."""
        events = [event for chunk in chunks for event in chunk.events]
        sizes = [len(chunk.events) for chunk in chunks]
        return cls(
            user_ids=_objects([event.user_id for event in events]),
            subjects=_objects([event.query if isinstance(event, Search) else event.item_id for event in events]),
            kinds=np.repeat(np.array([chunk.kind for chunk in chunks], np.int8), sizes),
            times_ms=np.array([event.time_ms for event in events], np.int64),
            values=event_values(events),
            event_ids=np.array([hash_event_id(event.event_id) for event in events], np.uint64),
            hashes=np.concatenate([chunk.hashes for chunk in chunks]) if chunks else np.zeros(0, np.uint64),
            partitions=np.repeat(np.array([chunk.tp.partition for chunk in chunks], np.int32), sizes),
        )

    def __len__(self) -> int:
        return len(self.kinds)

    def take(self, index: Array) -> Self:
        """The events at `index`."""
        return type(self)(*(getattr(self, field.name)[index] for field in fields(self)))

    @property
    def is_search(self) -> Array:
        """`[n]` bool."""
        return self.kinds == SEARCH

    def in_event_time_order(self) -> Array:
        """Indices that sort by event time, then kind, then arrival."""
        return np.lexsort((self.kinds, self.times_ms))


def event_values(events: Sequence[Event]) -> Array:
    """Each event's number in [-1, 1]: dwell of a click, worth of a purchase, on a signed logarithmic scale.

    1 stands for e^8 - 1 = 2,980 seconds or units of currency, and more.

    Returns:
        `[n]` float16.
    """
    raw = np.array([_raw_value(event) for event in events], np.float64)
    return np.copysign(np.minimum(np.log1p(np.abs(raw)) / 8, 1.0), raw).astype(np.float16)


def _raw_value(event: Event) -> float:
    if isinstance(event, Click):
        return event.value or 0.0
    if isinstance(event, Purchase):
        quantity = 1.0 if event.quantity is None else event.quantity
        return quantity * (1.0 if event.price is None else event.price)
    return 0.0


def hash_event_id(event_id: str | None) -> int:
    """A 64-bit hash that is never `NO_ID`; of two different ids one in 2^64 pairs agrees."""
    return NO_ID if event_id is None else xxhash.xxh3_64_intdigest(event_id.encode()) or 1


def _objects(values: Sequence[object]) -> Array:
    column = np.empty(len(values), object)
    column[:] = values
    return column
