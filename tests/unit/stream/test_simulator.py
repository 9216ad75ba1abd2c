"""The simulated shop: deterministic, drifting, and structured as it says."""

from itertools import pairwise

from stream.client import checked_record
from stream.demo.simulator import DEPARTMENTS, STYLES, ShopConfig, SimulatedShop
from stream.records.events import Click, Event, Purchase, Search


def events_of(shop: SimulatedShop, count: int, first_ms: int = 0) -> list[Event]:
    return list(shop.events(range(first_ms, first_ms + count)))


def test_equal_seeds_give_equal_events_and_others_do_not():
    first, second, other = (events_of(SimulatedShop(ShopConfig(seed=seed)), 500) for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_times_come_in_by_the_door():
    assert [event.time_ms for event in SimulatedShop().events([5, 5, 9])] == [5, 5, 9]


def test_worker_takes_every_event():
    for event in events_of(SimulatedShop(), 2_000):
        checked_record(event)


def test_event_ids_are_unique_and_all_kinds_occur():
    events = events_of(SimulatedShop(), 2_000)
    assert len({event.event_id for event in events}) == 2_000
    assert {type(event) for event in events} == {Click, Purchase, Search}


def test_new_items_come_and_are_found():
    shop = SimulatedShop(ShopConfig(events_per_new_item=100))
    before = set(shop.items)
    events = events_of(shop, 5_000)
    new = set(shop.items) - before
    assert len(new) == 50
    assert new & {event.item_id for event in events if not isinstance(event, Search)}


def test_search_names_the_category_of_the_click_that_follows_in_its_session():
    by_session: dict[str | None, list[Event]] = {}
    for event in events_of(SimulatedShop(), 3_000):
        by_session.setdefault(event.session_id, []).append(event)
    pairs = [pair for events in by_session.values() for pair in pairwise(events)]
    followed = [(a, b) for a, b in pairs if isinstance(a, Search) and isinstance(b, Click)]
    assert len(followed) > 100
    assert all((b.category or "no category") in a.query for a, b in followed)


def test_purchase_is_of_the_item_clicked_before_it():
    last_click: dict[str | None, str] = {}
    for event in events_of(SimulatedShop(), 3_000):
        if isinstance(event, Click):
            last_click[event.session_id] = event.item_id
        elif isinstance(event, Purchase):
            assert event.item_id == last_click[event.session_id]


def test_true_interest_is_a_distribution_that_drifts():
    shop = SimulatedShop(ShopConfig(num_users=20, open_sessions=5))
    before = shop.true_interest("user-0001")
    events_of(shop, 5_000)
    after = shop.true_interest("user-0001")
    assert abs(sum(after.values()) - 1) < 1e-9
    assert sum(abs(after[category] - before[category]) for category in shop.categories) > 0.5


def test_users_mostly_keep_their_style():
    shop = SimulatedShop()
    clicks = [event for event in events_of(shop, 5_000) if isinstance(event, Click)]
    own = sum(click.item_id.startswith(shop.true_style(click.user_id)) for click in clicks)
    assert own / len(clicks) > 2 / len(STYLES)


def test_departments_are_of_one_size():
    assert {len(department) for department in DEPARTMENTS} == {4}
