"""Changes, applied in order, are the state: what incremental checkpoints rest on."""

from typing import Any

import numpy as np
import pytest

from checkpoints.changes import State, apply
from models.saving import RowTracker, joined
from tests.unit.models.builders import a_learner, same, some_examples


def test_marked_rows_are_taken_once_distinct_and_ascending():
    tracker = RowTracker()
    tracker.mark(np.array([3, 1]))
    tracker.mark(np.array([3, 2]))

    assert tracker.take().tolist() == [1, 2, 3]
    assert tracker.take().tolist() == []


def test_taking_some_leaves_the_rest_marked():
    tracker = RowTracker()
    tracker.mark(np.array([5, 1, 3]))

    assert tracker.take(2).tolist() == [1, 5]
    assert tracker.take(2).tolist() == [3]


def changes_of(learner: Any) -> dict[str, Any]:
    return joined({name: part.changes() for name, part in learner.parts().items()})


def learn_some(learner: Any, seed: int) -> None:
    learner.add(some_examples(learner, 20, seed=seed))
    learner.resolve_queries([f"query {seed}"])
    learner.resolve_items([f"new {seed}-{n}" for n in range(5)])
    learner.learn_batch()
    learner.replay_batch()


@pytest.mark.parametrize("max_items", [64, 22])  # with 22, items leave and their slots are used again
def test_changes_applied_in_order_are_the_state(max_items):
    learner, saved = a_learner(max_items=max_items), State()
    for seed in range(4):
        learn_some(learner, seed)
        apply(saved, [changes_of(learner)])

    other = a_learner(max_items=max_items)
    other.restore(saved)

    left, right = learner.state(), other.state()
    assert [name for name in left if not same(left[name], right[name])] == []


def test_rows_taken_early_and_late_are_the_same_state():
    learner, saved = a_learner(), State()
    for seed in range(3):
        learn_some(learner, seed)
        apply(saved, [joined({name: part.changed_rows(most=5) for name, part in learner.parts().items()})])
    apply(saved, [changes_of(learner)])

    other = a_learner()
    other.restore(saved)

    left, right = learner.state(), other.state()
    assert [name for name in left if not same(left[name], right[name])] == []


def test_a_blank_learner_is_restored_from_its_changes():
    learner, saved = a_learner(), State()
    apply(saved, [changes_of(learner)])

    other = a_learner()
    other.restore(saved)

    assert other.state().keys() == learner.state().keys()


def test_changes_that_were_not_saved_come_again():
    learner, saved = a_learner(), State()
    learn_some(learner, 0)
    for part in learner.parts().values():
        part.not_saved(part.changes())

    apply(saved, [changes_of(learner)])

    other = a_learner()
    other.restore(saved)
    left, right = learner.state(), other.state()
    assert [name for name in left if not same(left[name], right[name])] == []


def test_what_did_not_change_is_not_saved_again():
    learner = a_learner(max_items=64)
    learn_some(learner, 0)
    changes_of(learner)
    learner.resolve_items(["only this"])

    changes = changes_of(learner)

    assert {name for name, change in changes.items() if change.rows is not None} == {
        "items/table/keys",
        "items/table/last_used",
    }
