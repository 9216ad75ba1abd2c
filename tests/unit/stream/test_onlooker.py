import functools

import numpy as np
import pytest

from models.learner import OnlineLearner
from stream.flow.updater import Updater
from stream.records.updates import decode_update
from tests.support.builders import NOW_MS, a_chunk, a_click
from tests.support.small import SMALL_MODEL, a_small_updater

START_MS = NOW_MS - 60_000


@functools.cache
def a_learner() -> OnlineLearner:
    """One for all tests: compiling takes seconds, and what it has learned does not matter here."""
    return OnlineLearner(SMALL_MODEL)


def after_clicks(*clicks: tuple[str, str]) -> Updater:
    """An updater that saw `(user, item)` one second after the other, a micro-batch each."""
    updater = a_small_updater(learner=a_learner())
    for at, (user, item) in enumerate(clicks):
        updater.process([a_chunk([a_click(user, item, START_MS + 1_000 * at)], first_offset=at)])
    return updater


def test_a_user_is_seen_where_its_last_update_says():
    updater = after_clicks(("ann", "shoe"))
    outcome = updater.process([a_chunk([a_click("ann", "lamp", START_MS + 1_000)], first_offset=1)])
    ((record,),) = outcome.updates.values()
    update = decode_update(record.key or b"", record.value or b"")

    sighting = updater.onlooker.sight(["nobody", "ann"])

    assert sighting.user_ids == ["ann"]
    assert sighting.interest[0] == pytest.approx(update.interest, abs=1e-5)
    assert sighting.long_term[0] == pytest.approx(update.long_term, abs=4e-5)
    assert float(sighting.drift[0]) == pytest.approx(update.drift, abs=1e-5)


def test_a_path_has_a_place_for_each_event_since_then_and_ends_where_the_user_is():
    updater = after_clicks(("ann", "shoe"), ("ann", "lamp"), ("bob", "lamp"), ("ann", "sock"))

    path = updater.onlooker.path("ann", START_MS + 1_000)

    assert (path.times_ms - START_MS).tolist() == [1_000, 3_000]
    assert np.allclose(path.interest[-1], updater.onlooker.sight(["ann"]).interest[0], atol=1e-6)


def test_a_stranger_has_no_path():
    assert len(after_clicks(("ann", "shoe")).onlooker.path("bob", 0).interest) == 0


def test_those_with_the_newest_updates_come_first_and_once():
    updater = after_clicks(("ann", "shoe"), ("bob", "shoe"), ("cy", "shoe"), ("ann", "lamp"))

    assert updater.onlooker.recently_active(2) == ["ann", "cy"]


def test_a_search_finds_parts_of_ids_whatever_their_case_and_the_exact_one_first():
    updater = after_clicks(("xann", "Red Shoe"), ("Ann", "lamp"), ("ann", "shoe"), ("bob", "shoelace"))

    assert updater.onlooker.find_users("ann", 9) == ["ann", "Ann", "xann"]
    assert updater.onlooker.find_items("shoe", 2) == ["shoe", "Red Shoe"]


def test_looking_changes_nothing():
    updater = after_clicks(("ann", "shoe"), ("ann", "lamp"))
    before = updater.state()

    updater.onlooker.path("ann", 0)
    updater.onlooker.sight(updater.onlooker.recently_active(9))
    updater.onlooker.find_users("a", 9)

    after = updater.state()
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
