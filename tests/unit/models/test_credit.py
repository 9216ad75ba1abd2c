"""Purchases credit the clicks that they followed, and nothing else."""

from dataclasses import replace

import numpy as np

from models.inputs.credit import credited
from models.inputs.features import CLICK, PURCHASE, SEARCH, Examples
from tests.unit.models.builders import a_learner, an_example, learn_all, some_examples


def test_a_purchase_credits_the_newest_click_on_its_item_with_what_led_to_it():
    found = credited(an_example([5, 9, 5, 7], 5, PURCHASE))
    assert found.windows.slots.tolist() == [[0, 0, 5, 9]]
    assert (found.targets.tolist(), found.kinds.tolist()) == ([5], [PURCHASE])


def test_a_click_credits_nothing_nor_does_a_purchase_out_of_nowhere_or_of_what_came_first():
    assert len(credited(an_example([5, 7], 5, CLICK))) == 0
    assert len(credited(an_example([6, 7], 5, PURCHASE))) == 0
    assert len(credited(an_example([5, 7], 5, PURCHASE))) == 0


def test_an_earlier_purchase_of_the_item_is_no_click_and_a_search_can_lead_to_one():
    bought = an_example([6, 5, 7], 5, PURCHASE)
    bought.windows.kinds[0, 2] = PURCHASE
    searched = an_example([-2, 5], 5, PURCHASE)
    searched.windows.kinds[0, 2] = SEARCH
    assert len(credited(bought)) == 0
    assert credited(searched).windows.slots.tolist() == [[0, 0, 0, -2]]


def test_credits_are_replayed_when_asked_for():
    plain, crediting = a_learner(), a_learner(credit_clicks=True)
    for learner in (plain, crediting):
        examples = some_examples(learner, 40)
        kinds = np.full(len(examples), PURCHASE, np.int8)
        learner.add(
            Examples(replace(examples.windows, kinds=np.zeros_like(examples.windows.kinds)), examples.targets, kinds)
        )
        learn_all(learner)
    assert crediting.state()["ring/num_put"] > plain.state()["ring/num_put"]
