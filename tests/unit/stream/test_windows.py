import numpy as np
import pytest

from models.inputs.features import CLICK, SEARCH, gap_buckets
from stream.settings import MAX_SLOTS
from stream.users.rows import BLOCK
from stream.users.windows import FORGOTTEN_SLOT, NewEvents, Windows
from tests.support.builders import column

SIZE = 4


def windows_with(*slots_at: tuple[int, int], kind: int = CLICK) -> Windows:
    """Windows whose user 0 had events `(slot, time_ms)`, pushed in this order."""
    windows = Windows(SIZE)
    for slot, time_ms in slots_at:
        push(windows, slot, time_ms, kind)
    return windows


def push(windows: Windows, slot: int, time_ms: int, kind: int = CLICK, user: int = 0) -> list[int]:
    """The slots before the event."""
    new = NewEvents(
        column(user, dtype=np.int32),
        column(slot, dtype=np.int32),
        column(kind, dtype=np.int8),
        column(time_ms),
        column(0, dtype=np.float16),
    )
    return windows.push(new, SIZE).slots[0].tolist()


def slots_of(windows: Windows, user: int = 0, length: int = SIZE) -> list[int]:
    return windows.newest(column(user), length).slots[0].tolist()


def test_a_window_is_right_aligned_and_holds_the_newest():
    assert slots_of(windows_with((1, 10), (2, 20))) == [0, 0, 1, 2]
    assert slots_of(windows_with((1, 10), (2, 20), (3, 30), (4, 40), (5, 50))) == [2, 3, 4, 5]


def test_a_late_event_enters_where_it_belongs():
    assert slots_of(windows_with((1, 10), (3, 30), (2, 20))) == [0, 1, 2, 3]


def test_an_event_older_than_a_full_window_changes_nothing():
    windows = windows_with((2, 20), (3, 30), (4, 40), (5, 50))

    assert push(windows, 1, 10) == [0, 0, 0, 0]
    assert slots_of(windows) == [2, 3, 4, 5]


@pytest.mark.parametrize("order", [(SEARCH, CLICK), (CLICK, SEARCH)])
def test_events_of_equal_time_are_ordered_by_kind_whoever_comes_first(order):
    windows = Windows(SIZE)
    for kind in order:
        push(windows, 10 + kind, 10, kind)

    assert slots_of(windows) == [0, 0, 10 + CLICK, 10 + SEARCH]


def test_gaps_are_measured_from_the_position_before():
    windows = windows_with((1, 1_000), (2, 3_000), (3, 63_000))

    assert windows.newest(column(0), 3).gaps[0].tolist() == gap_buckets(column(-1, 2_000, 60_000)).tolist()


def test_before_gives_the_window_as_it_was_in_event_time():
    windows = windows_with((1, 10), (3, 30))

    assert push(windows, 2, 20) == [0, 0, 0, 1]


def test_order_survives_gaps_longer_than_an_age_can_hold():
    year_ms = 365 * 86_400_000

    windows = windows_with((1, 0), (2, year_ms), (3, 2 * year_ms))

    assert slots_of(windows) == [0, 1, 2, 3]


def test_users_do_not_touch_each_other():
    windows = windows_with((1, 10))
    push(windows, 9, 99, user=1)

    assert slots_of(windows) == [0, 0, 0, 1]
    assert slots_of(windows, user=1) == [0, 0, 0, 9]


def test_items_that_have_left_are_replaced_everywhere():
    windows = windows_with((5, 10), (6, 20), (5, 30))
    windows.rows.touch(column(0))

    windows.forget_slots(column(5))

    assert slots_of(windows) == [0, FORGOTTEN_SLOT, 6, FORGOTTEN_SLOT]


def test_only_the_users_of_what_has_left_are_saved_again_and_a_query_is_not_the_item_of_its_number():
    windows = windows_with((5, 10))
    push(windows, -5, 10, SEARCH, user=1)
    windows.rows.touch(column(0, 1))
    windows.rows.changes()

    windows.forget_slots(column(-5, -9))

    changed = windows.rows.changes()["num_events"].rows
    assert changed is not None
    assert changed.tolist() == [1]
    assert (slots_of(windows, length=1), slots_of(windows, user=1, length=1)) == ([5], [FORGOTTEN_SLOT])


@pytest.mark.parametrize("slot", [1, MAX_SLOTS, -1, -MAX_SLOTS])
def test_slot_and_kind_are_saved_and_restored_whatever_they_are(slot):
    windows, restored = windows_with((3, 10)), Windows(SIZE)
    push(windows, slot, 2_000, SEARCH)
    windows.rows.touch(column(0))

    saved = windows.rows.state()
    restored.rows.restore(saved)

    assert saved["growing/slots"].tolist() == [[3, slot, 0, 0]]
    assert saved["growing/kinds"].tolist() == [[CLICK, SEARCH, 0, 0]]
    assert [column.tolist() for column in restored.of(0)] == [[3, slot], [CLICK, SEARCH], [10, 2_000]]


def test_a_window_of_several_blocks_moves_through_all_of_them():
    windows = Windows(3 * BLOCK)
    for number in range(4 * BLOCK):
        push(windows, 1 + number, 10 * number)
    push(windows, 1_000, 10 * (2 * BLOCK) + 5)

    slots = [*range(BLOCK + 2, 2 * BLOCK + 2), 1_000, *range(2 * BLOCK + 2, 4 * BLOCK + 1)]
    assert slots_of(windows, length=3 * BLOCK) == slots
    assert windows.of(0)[0].tolist() == slots
