"""What is shown of users."""

from rich.console import Console

from stream.cli.drift_view import MIN_EVENTS, UserView, drift_table, most_drifting
from stream.nearest import VectorTable
from stream.records.updates import InterestUpdate


def an_update(user: str, drift: float = 0.5, num_events: int = MIN_EVENTS) -> InterestUpdate:
    return InterestUpdate(1, user, 3, 1_000, 7, [1.0, 0.0], [0.0, 1.0], drift, num_events)


def two_items() -> VectorTable:
    table = VectorTable()
    table.put("lamp", [0.0, 1.0])
    table.put("shoe", [1.0, 0.0])
    return table


def test_furthest_come_first_and_newcomers_wait():
    updates = [an_update("slow", 0.1), an_update("fast", 0.9), an_update("new", 1.5, num_events=MIN_EVENTS - 1)]
    assert [update.user_id for update in most_drifting(updates, 5)] == ["fast", "slow"]


def test_view_names_what_is_near_now_and_in_the_long_run():
    view = UserView.of(an_update("u1"), two_items(), num_items=1)
    assert (view.nearest, view.long_term) == ([("shoe", 1.0)], [("lamp", 1.0)])
    assert view.line() == f"u1 v3 drift 0.500 after {MIN_EVENTS} events: shoe 1.00"


def test_view_without_item_vectors_says_so():
    assert "no item vectors yet" in UserView.of(an_update("u1"), VectorTable()).line()


def test_table_shows_user_from_and_to():
    console = Console(width=100)
    with console.capture() as shown:
        console.print(drift_table([UserView.of(an_update("u1"), two_items())]))
    assert all(word in shown.get() for word in ("u1", "0.500", "lamp", "shoe"))
