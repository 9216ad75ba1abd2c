"""Past events to their topics, paced by event time or as fast as they go. Time comes in by the door."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from models.inputs.features import KINDS
from stream.errors import ConfigError
from stream.event_logs import Line, Refused, Unmapped
from stream.records.events import KIND_OF_EVENT_CLASS, Event, encode_event

POLL_EVERY_EVENTS = 1_000
UNMAPPED_TYPES_KEPT = 20


@dataclass(frozen=True)
class ReplayPolicy:
    """How past events are sent.

    Attributes:
        speed: event seconds in a second; `None` is as fast as they go.
        shift_ms: added to every event time.
        refused_shown: refused lines that are told to `on_refused`; the rest are only counted.
    """

    speed: float | None = None
    shift_ms: int = 0
    refused_shown: int = 20


@dataclass
class ReplayCounts:
    """What became of the lines so far.

    Attributes:
        sent: by kind.
        unmapped: by event type; types beyond the first 20 are counted as `(others)`.
    """

    lines: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    unmapped: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)


class Sender(Protocol):
    """Where records go: `BulkProducer`."""

    def send(self, event_kind: int, key: bytes, value: bytes) -> None:
        """Send one."""

    def poll(self) -> None:
        """Look what was delivered."""


@dataclass(frozen=True)
class Clock:
    """Monotonic seconds and a way to wait."""

    now_s: Callable[[], float] = time.monotonic
    wait_s: Callable[[float], None] = time.sleep


def replay(
    lines: Iterable[Line],
    sender: Sender,
    policy: ReplayPolicy,
    on_refused: Callable[[Refused], None],
    clock: Clock | None = None,
) -> Iterator[ReplayCounts]:
    """Send the events; yields the counts after each line, the same object again and again."""
    counts = ReplayCounts()
    pace = Pace(policy.speed, clock or Clock())
    for line in lines:
        counts.lines += 1
        if isinstance(line, Unmapped):
            is_new = line.event_type not in counts.unmapped and len(counts.unmapped) >= UNMAPPED_TYPES_KEPT
            counts.unmapped["(others)" if is_new else line.event_type] += 1
        elif isinstance(line, Refused):
            if counts.refused.total() < policy.refused_shown:
                on_refused(line)
            counts.refused[line.error.reason] += 1
        else:
            pace.wait_for(line.time_ms)
            kind = KIND_OF_EVENT_CLASS[type(line)]
            sender.send(kind, *encode_event(_shifted(line, policy.shift_ms)))
            counts.sent[KINDS[kind]] += 1
        if counts.lines % POLL_EVERY_EVENTS == 0:
            sender.poll()
        yield counts


class Pace:
    """Waits until an event's time has come; an event that is older than its predecessor does not wait."""

    def __init__(self, speed: float | None, clock: Clock) -> None:
        self._speed = speed
        self._clock = clock
        self._began: tuple[int, float] | None = None

    def wait_for(self, time_ms: int) -> None:
        """Returns when the event is due."""
        if self._speed is None:
            return
        if self._began is None:
            self._began = time_ms, self._clock.now_s()
        first_ms, began_s = self._began
        due_s = began_s + (time_ms - first_ms) / 1000 / self._speed
        if (wait_s := due_s - self._clock.now_s()) > 0:
            self._clock.wait_s(wait_s)


def parse_speed(text: str) -> float | None:
    """`10x` is 10, `max` is `None`.

    Raises:
        ConfigError: it is neither.
    """
    if text == "max":
        return None
    try:
        speed = float(text.removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise ConfigError(f"--speed {text}: expected a factor such as 10x, or max")
    return speed


def shift_to_now_ms(lines: Iterable[Line], speed: float | None, now_ms: int) -> int:
    """What to add to all event times, so that the last event is sent at its own time and none before it.

    Reads all lines. 0 when there is no event.
    """
    times = [line.time_ms for line in lines if not isinstance(line, Unmapped | Refused)]
    if not times:
        return 0
    lasts_ms = 0 if speed is None else int((max(times) - times[0]) / speed)
    return now_ms + lasts_ms - max(times)


def _shifted(event: Event, shift_ms: int) -> Event:
    if not shift_ms:
        return event
    return msgspec.structs.replace(event, time_ms=event.time_ms + shift_ms)
