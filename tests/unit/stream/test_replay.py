"""Sending past events: order, pace, counts."""

from pathlib import Path

import pytest

from stream.errors import ConfigError, EventError
from stream.event_logs import Line, Refused, Unmapped
from stream.records.events import decode_event
from stream.replay import Clock, Pace, ReplayPolicy, parse_speed, replay, shift_to_now_ms
from tests.support.builders import a_click, a_purchase, a_search

BROKEN = Refused(Path("log.csv"), 7, EventError("not_json", "no"))


class KeptRecords:
    """A sender that keeps what it is given."""

    def __init__(self) -> None:
        self.records: list[tuple[int, bytes, bytes]] = []

    def send(self, event_kind: int, key: bytes, value: bytes) -> None:
        self.records.append((event_kind, key, value))

    def poll(self) -> None:
        pass


class FakeClock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.waits: list[float] = []

    def clock(self) -> Clock:
        return Clock(lambda: self.now_s, self._wait)

    def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now_s += seconds


def ignore(refused: Refused) -> None:
    pass


def test_events_are_sent_in_order_to_their_kinds_and_the_rest_is_counted():
    sender = KeptRecords()
    lines: list[Line] = [a_click(), Unmapped("filter"), a_search(), BROKEN, a_purchase(user="u2")]
    *_, counts = replay(lines, sender, ReplayPolicy(), ignore)
    assert [(kind, key) for kind, key, _ in sender.records] == [(0, b"u1"), (2, b"u1"), (1, b"u2")]
    assert (counts.lines, counts.sent.total()) == (5, 3)
    assert (dict(counts.unmapped), dict(counts.refused)) == ({"filter": 1}, {"not_json": 1})


def test_refused_lines_are_told_up_to_the_limit():
    told: list[Refused] = []
    *_, counts = replay([BROKEN] * 5, KeptRecords(), ReplayPolicy(refused_shown=2), told.append)
    assert len(told) == 2
    assert counts.refused.total() == 5


def test_event_types_of_hostile_files_are_counted_in_bounded_memory():
    *_, counts = replay([Unmapped(f"type {n}") for n in range(1_000)], KeptRecords(), ReplayPolicy(), ignore)
    assert len(counts.unmapped) == 21
    assert counts.unmapped["(others)"] == 980


def test_shift_moves_event_times():
    sender = KeptRecords()
    list(replay([a_click(time_ms=10)], sender, ReplayPolicy(shift_ms=5), ignore))
    assert decode_event(*sender.records[0]).time_ms == 15


def test_pace_follows_event_time_and_never_waits_for_the_past():
    fake = FakeClock()
    pace = Pace(10.0, fake.clock())
    for time_ms in (1_000, 3_000, 2_000, 11_000):
        pace.wait_for(time_ms)
    assert fake.waits == pytest.approx([0.2, 0.8])


def test_max_speed_never_waits():
    fake = FakeClock()
    pace = Pace(None, fake.clock())
    for time_ms in (0, 10_000_000):
        pace.wait_for(time_ms)
    assert fake.waits == []


@pytest.mark.parametrize(("text", "speed"), [("1x", 1.0), ("10x", 10.0), ("0.5", 0.5), ("max", None)])
def test_speed_is_read(text: str, speed: float | None):
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["fast", "0x", "-1x", "nan", "inf"])
def test_speed_that_is_no_factor_is_a_config_error(text: str):
    with pytest.raises(ConfigError, match="expected a factor"):
        parse_speed(text)


def test_last_event_of_a_shifted_log_is_sent_at_its_own_time():
    lines: list[Line] = [a_click(time_ms=1_000), Unmapped("filter"), a_click(time_ms=21_000)]
    assert 21_000 + shift_to_now_ms(lines, None, now_ms=50_000) == 50_000
    assert 21_000 + shift_to_now_ms(lines, 10.0, now_ms=50_000) == 52_000


def test_log_without_events_is_not_shifted():
    assert shift_to_now_ms([BROKEN], None, now_ms=50_000) == 0
