from dataclasses import replace

import pytest

from stream.flow.top_items import TopItemsPolicy
from stream.flow.updater import Updater
from tests.support.builders import a_chunk, a_click, a_purchase
from tests.support.small import SMALL_POLICY, a_small_updater
from tests.unit.stream.test_updater import sent


def an_updater_that_knows_items(policy: TopItemsPolicy) -> Updater:
    updater = a_small_updater(policy=replace(SMALL_POLICY, top_items=policy))
    updater.process([a_chunk([a_click("bob", f"i{n}") for n in range(6)])])
    while updater.learner.learn_batch():
        pass
    return updater


@pytest.mark.parametrize(("leave_out", "left"), [("nothing", set()), ("bought", {"i2"}), ("seen", {"i1", "i2"})])
def test_an_update_recommends_items_without_those_that_are_left_out(leave_out, left):
    updater = an_updater_that_knows_items(TopItemsPolicy(6, leave_out))

    updater.process([a_chunk([a_purchase("ann", "i2")])])
    (update,) = sent(updater.process([a_chunk([a_click("ann", "i1")], first_offset=9)]))

    assert {item for item, _ in update.top_items or []} == {f"i{n}" for n in range(6)} - left


def test_updates_carry_no_items_unless_asked_for():
    updater = an_updater_that_knows_items(TopItemsPolicy(0))

    assert sent(updater.process([a_chunk([a_click("ann", "i1")])]))[0].top_items is None


def test_a_user_is_recommended_what_its_update_says_and_a_stranger_nothing():
    policy = TopItemsPolicy(3)
    updater = an_updater_that_knows_items(policy)

    (update,) = sent(updater.process([a_chunk([a_click("ann", "i1")])]))

    assert updater.recommend("ann", policy) == update.top_items
    assert updater.recommend("stranger", policy) is None
