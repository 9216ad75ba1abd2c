import pytest

from stream.flow.latency import REMEMBERED_S, RecentLatency
from tests.support.builders import NOW_MS, a_chunk, a_click

NOW_S = NOW_MS / 1000


def test_percentiles_are_of_the_ages_of_events():
    latency = RecentLatency()

    latency.note(NOW_S, [a_chunk([a_click(time_ms=NOW_MS - age) for age in range(101)])])

    assert latency.percentiles_ms(NOW_S) == pytest.approx((50, 99), abs=0.01)


def test_what_is_long_ago_is_forgotten():
    latency = RecentLatency()
    latency.note(NOW_S, [a_chunk([a_click(time_ms=NOW_MS)])])

    assert latency.percentiles_ms(NOW_S + REMEMBERED_S) is not None
    assert latency.percentiles_ms(NOW_S + REMEMBERED_S + 0.1) is None
