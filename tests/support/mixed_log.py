"""Events of a shop with everything that goes wrong with events in it: duplicates, stragglers, late and broken ones.

Made so that no speed of one topic against another can change what becomes of an event: a duplicate is in the topic of
its first, and no user has more ids than are remembered.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Self

from confluent_kafka import Producer

from models.inputs.features import KINDS
from stream.records.events import Event, encode_event
from stream.settings import Settings
from stream.users.admission import REMEMBERED_IDS
from tests.support.builders import a_click, a_purchase, a_search

ALLOWED_LATENESS_MS = 60_000
EVENTS_PER_USER = REMEMBERED_IDS // 3  # on average, so that none comes near the ids that are remembered
SLICE_S = 0.05

MAKERS: tuple[Callable[[str, str, int], Event], ...] = (a_click, a_purchase, a_search)

Fate = Literal["admitted", "duplicate", "late", "refused"]


class Entry(NamedTuple):
    """One record, and what must become of it."""

    kind: int
    key: bytes
    value: bytes | None
    fate: Fate


def a_mixed_log(count: int, chance: random.Random) -> list[Entry]:
    """`count` records up to now: 5 % duplicates, 5 % late, 5 % stragglers that are in time, 1 % broken."""
    maker = _Maker(count, chance)
    return [maker.entry(n) for n in range(count)]


class _Maker:
    def __init__(self, count: int, chance: random.Random) -> None:
        self._chance = chance
        self._start_ms = int(time.time() * 1000) - count
        self._num_users = max(1, count // EVENTS_PER_USER)
        self._newest_ms: dict[tuple[str, int], int] = {}
        self._with_id: list[Entry] = []

    def entry(self, number: int) -> Entry:
        kind, user = self._chance.choice((0, 0, 0, 1, 2)), f"u{self._chance.randrange(self._num_users)}"
        die = self._chance.random()
        if die < 0.01:
            return self._broken(kind, user)
        if die < 0.06 and self._with_id:
            return self._chance.choice(self._with_id[-500:])._replace(fate="duplicate")
        newest_ms = self._newest_ms.get((user, kind))
        if die < 0.11 and newest_ms is not None:
            too_old = newest_ms - ALLOWED_LATENESS_MS - self._chance.choice((1, 1_000))
            return self._new(kind, user, too_old, number, "late")
        if die < 0.16 and newest_ms is not None:
            just_in_time = newest_ms - self._chance.choice((1, 1_000, ALLOWED_LATENESS_MS))
            return self._new(kind, user, just_in_time, number, "admitted")
        return self._new(kind, user, self._start_ms + number, number, "admitted")

    def _new(self, kind: int, user: str, time_ms: int, number: int, fate: Fate) -> Entry:
        event = MAKERS[kind](user, f"i{self._chance.randrange(200)}", time_ms)
        has_id = self._chance.random() < 0.9
        event.event_id = f"e{number}" if has_id else None
        entry = Entry(kind, *encode_event(event), fate)
        if has_id:
            self._with_id.append(entry)
        self._newest_ms[user, kind] = max(time_ms, self._newest_ms.get((user, kind), 0))
        return entry

    def _broken(self, kind: int, user: str) -> Entry:
        key, value = encode_event(MAKERS[kind](user, "i1", self._start_ms))
        ahead = encode_event(MAKERS[kind](user, "i1", 2**43))[1]
        values = (value[:-1], b"[1, 2]", b"{}", b"\xff", ahead, None)
        return Entry(kind, *self._chance.choice([*((key, v) for v in values), (key + b"x", value)]), "refused")


class Feeder(threading.Thread):
    """Sends entries to their topics at a steady rate. A context manager that waits until all of them are delivered.

    Args:
        settings: say where the broker and the topics are.
        entries: what to send.
        rate: records a second.
    """

    def __init__(self, settings: Settings, entries: Sequence[Entry], rate: float) -> None:
        super().__init__(daemon=True)
        self._settings, self._entries, self._rate = settings, entries, rate
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.join()

    def run(self) -> None:
        producer = Producer(
            {
                "bootstrap.servers": self._settings.broker,
                "linger.ms": 5,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "log_level": 0,
            }
        )
        topics = self._settings.input_topics
        assert len(topics) == len(KINDS)
        size = max(1, int(self._rate * SLICE_S))
        for start in range(0, len(self._entries), size):
            for entry in self._entries[start : start + size]:
                producer.produce(topics[entry.kind], key=entry.key, value=entry.value, on_delivery=self._note)
            producer.poll(0)
            time.sleep(SLICE_S)  # the rate itself, not a wait for something
        if left := producer.flush(120):
            self.failures.append(f"{left} records not delivered")

    def _note(self, error: object, _: object) -> None:
        if error is not None:
            self.failures.append(str(error))
