import pytest

from stream.flow.watchdog import Watchdog


def watchdog_after(*looks: tuple[float, int, int | None]) -> bool:
    """Whether the last of some looks `(now, applied, lag)` finds a stall of 60 s."""
    watchdog = Watchdog(60)
    return [watchdog.look(*look) for look in looks][-1] is not None


@pytest.mark.parametrize(("second", "is_stalled"), [(59.9, False), (60.0, True)])
def test_lag_without_progress_is_a_stall_from_the_limit_on(second, is_stalled):
    assert watchdog_after((0, 5, 1), (second, 5, 1)) is is_stalled


def test_progress_however_small_is_no_stall():
    assert not watchdog_after((0, 5, 100), (50, 6, 100), (100, 6, 100))


def test_nothing_to_do_is_no_stall():
    assert not watchdog_after((0, 5, 0), (1_000, 5, 0))


def test_time_without_lag_does_not_count():
    assert not watchdog_after((0, 5, 0), (100, 5, 0), (101, 5, 3), (150, 5, 3))


def test_a_broker_that_does_not_answer_is_not_the_workers_fault():
    assert not watchdog_after((0, 5, 3), (50, 5, None), (100, 5, 3))


def test_a_stall_says_how_long_and_how_much():
    watchdog = Watchdog(10)
    watchdog.look(0, 5, 7)

    assert str(watchdog.look(12, 5, 7)) == "nothing was applied for 12 s while 7 records wait"
