import numpy as np

from stream.flow.onlooker import Sighting
from stream.web.interest_map import ItemsInSight, moves, next_panel
from stream.web.projection import Projection

EYE = np.eye(2, dtype=np.float32)
FLAT = Projection(["lamp", "shoe"], EYE, EYE, 1.0)
ITEMS = ItemsInSight(["lamp", "shoe"], EYE, np.array([0.6, 0.4], np.float32))


def a_sighting(*users: tuple[str, float, int]) -> Sighting:
    """Users `(id, drift, events)` that came from the lamp and go to the shoe."""
    ids, drift, num_events = zip(*users, strict=True)
    shoe, lamp = np.tile([0.0, 1.0], (len(ids), 1)), np.tile([1.0, 0.0], (len(ids), 1))
    return Sighting(list(ids), shoe, lamp, np.array(drift), np.array(num_events), np.zeros(len(ids), np.int64))


def test_who_is_watched_stays_while_active_and_others_take_the_places_of_those_who_left():
    assert next_panel(["ann", "bob"], ["cy", "bob", "dan"]) == ["bob", "cy", "dan"]


def test_those_who_drift_most_come_first_with_where_from_and_where_to():
    told = moves(a_sighting(("ann", 0.2, 9), ("bob", 0.9, 9)), ITEMS, FLAT)

    assert [user.user_id for user in told.drifters] == ["bob", "ann"]
    assert (told.drifters[0].came_from[0], told.drifters[0].goes_to[0]) == ("lamp", "shoe")


def test_a_user_whose_first_events_decide_the_drift_is_on_the_map_but_not_among_the_drifters():
    told = moves(a_sighting(("new", 1.0, 4), ("old", 0.1, 5)), ITEMS, FLAT)

    assert [user.user_id for user in told.users] == ["new", "old"]
    assert [user.user_id for user in told.drifters] == ["old"]


def test_without_a_map_nobody_moves():
    assert moves(a_sighting(("ann", 0.2, 9)), ITEMS, None).users == []
