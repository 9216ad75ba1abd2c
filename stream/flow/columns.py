"""Events as columns: what the vectorised flow works on. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from models.inputs.features import SEARCH
from models.saving import Array
from stream.flow.decoded_events import DecodedEvents
from stream.flow.intake import Chunk
from stream.records.events import Event


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
        runs = [*_in_columns(chunks)]
        sizes = [len(chunk.events) for chunk in chunks]
        return cls(
            user_ids=_objects([user_id for run in runs for user_id in run.user_ids]),
            subjects=_objects([subject for run in runs for subject in run.subjects]),
            kinds=np.repeat(np.array([chunk.kind for chunk in chunks], np.int8), sizes),
            times_ms=_joined((run.times_ms for run in runs), np.int64),
            values=scaled_values(_joined((run.numbers for run in runs), np.float64)),
            event_ids=_joined((run.event_ids for run in runs), np.uint64),
            hashes=_joined((chunk.hashes for chunk in chunks), np.uint64),
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


def scaled_values(numbers: Array) -> Array:
    """Each event's number in [-1, 1]: dwell of a click, worth of a purchase, on a signed logarithmic scale.

    1 stands for e^8 - 1 = 2,980 seconds or units of currency, and more.

    Returns:
        `[n]` float16.
    """
    return np.copysign(np.minimum(np.log1p(np.abs(numbers)) / 8, 1.0), numbers).astype(np.float16)


def _in_columns(chunks: Sequence[Chunk]) -> Iterator[DecodedEvents]:
    """The events of `chunks`; those of many small ones together, which takes less time than each by itself."""
    waiting: list[Event] = []
    for chunk in chunks:
        if isinstance(chunk.events, DecodedEvents):
            if waiting:
                yield DecodedEvents.of(waiting)
                waiting = []
            yield chunk.events
        else:
            waiting += chunk.events
    if waiting:
        yield DecodedEvents.of(waiting)


def _joined(columns: Iterable[Array], dtype: type) -> Array:
    return np.concatenate([np.zeros(0, dtype), *columns])


def _objects(values: Sequence[object]) -> Array:
    column = np.empty(len(values), object)
    column[:] = values
    return column
