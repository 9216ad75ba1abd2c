"""Bytes as no client would write them, guided by coverage: nothing but an `EventError` may come out of a decoder.

And what is read as a plain event must be the event that it is decoded to.

.venv/bin/pip install atheris && .venv/bin/python -m tests.fuzz.decoders -max_total_time=60
"""

import contextlib
import sys
from pathlib import Path

import atheris
import numpy as np

with atheris.instrument_imports(include=["stream", "msgspec"]):
    from models.inputs.features import KINDS
    from stream.errors import EventError
    from stream.flow.decoded_events import DecodedEvents
    from stream.foreign.formats import FORMATS
    from stream.foreign.mapping import EventMapper
    from stream.records.erasures import decode_erasure
    from stream.records.events import Event, decode_event
    from stream.records.fetched_records import FetchedRecords
    from stream.records.plain_events import PlainEvents
    from stream.records.updates import decode_item_vector, decode_update

MAPPERS = [EventMapper(of) for of in FORMATS.values()]
SEEDS = (
    b'{"user_id":"u1","item_id":"i1","time_ms":1,"value":2.5,"event_id":"e"}',
    b'{"user_id":"u1","item_id":"i1","time_ms":1,"quantity":1,"price":2}',
    b'{"user_id":"u1","query":"red shoes","time_ms":1,"session_id":"s"}',
    b'{"user_id":"u1","erased_at_ms":1}',
    b'{"schema":1,"item_id":"i1","model_step":1,"vector":[0.5]}',
    b'{"event":"Order Completed","userId":"u1","timestamp":"2026-01-01","properties":{"products":[{"sku":1}]}}',
    b'{"event_name":"search","event_timestamp":1,"user_id":"u1","event_params":[{"key":"search_term"}],"items":[]}',
    b'{"userId":"u1","eventList":[{"eventType":"click","itemId":"i1","sentAt":1,"eventId":"e","eventValue":2}]}',
    b'{"event":"interaction","id":"x","timestamp":"1","user":"u1","type":"click","item":"i1"}',
)
NOW_MS, MAX_FUTURE_MS = 1_700_000_000_000, 1_000


def decode_all(value: bytes) -> None:
    """Give the same record to every decoder there is."""
    key = b"u1" if len(value) % 8 else value[:8]
    for kind in range(len(KINDS)):
        event: Event | None = None
        with contextlib.suppress(EventError):
            event = decode_event(kind, key, value)
        plain = PlainEvents.of(kind, as_fetched(key, value), MAX_FUTURE_MS)
        if plain is not None:
            assert event is not None, "expected that nothing is plain but events"
            assert repr(DecodedEvents.of_plain(plain)) == repr(DecodedEvents.of([event]))
    with contextlib.suppress(EventError):
        decode_erasure(key, value, NOW_MS, MAX_FUTURE_MS)
    for decode in (decode_update, decode_item_vector):
        with contextlib.suppress(EventError):
            decode(b"u1", value)
    for mapper in MAPPERS:
        with contextlib.suppress(EventError):
            mapper.events(value)


def as_fetched(key: bytes, value: bytes) -> FetchedRecords:
    """The record alone."""
    spans = np.array([[0, len(key), len(key), len(key) + len(value)]])
    return FetchedRecords(key + value, np.zeros(1, np.int64), np.full(1, NOW_MS), spans)


def plant_seeds(folder: Path) -> None:
    """Good records, for the fuzzer to change."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS):
        (folder / f"seed-{number}").write_bytes(seed)


if __name__ == "__main__":
    plant_seeds(Path(sys.argv[1]))
    atheris.Setup(sys.argv, decode_all)
    atheris.Fuzz()
