"""The counting memory expects what followed before, forgets what left, and skips searches."""

import numpy as np
import pytest

from models.counting.memory import CountingMemory
from models.counting.neighbours import NeighbourCounts
from models.saving import state_of
from tests.unit.models.builders import a_config


def a_memory(**changes: object) -> CountingMemory:
    return CountingMemory(a_config(**changes), first_item=3, num_rows=20)


def items_of(*slots: int) -> np.ndarray:
    window = np.zeros((1, 4), np.int32)
    window[0, 4 - len(slots) :] = slots
    return window


def targets_of(*slots: int) -> np.ndarray:
    return np.array(slots, np.int32)


def test_memory_without_experience_expects_only_repeats():
    recollection = a_memory().recall(items_of(5))
    assert recollection.shares.sum() == 1.0
    assert recollection.ids[recollection.shares > 0].tolist() == [5]


def test_what_followed_twice_in_three_is_expected_with_two_thirds():
    memory = a_memory()
    for target in (7, 7, 8):
        memory.learn(items_of(5), targets_of(target))
    probabilities = memory.probabilities(memory.recall(items_of(5)), targets_of(7))
    assert probabilities[0, memory.components.successors][0] == pytest.approx(2 / 3, abs=1e-4)


def test_predecessors_are_learned_the_other_way_round():
    memory = a_memory()
    memory.learn(items_of(5), targets_of(7))
    probabilities = memory.probabilities(memory.recall(items_of(7)), targets_of(5))
    assert probabilities[0, memory.components.predecessors][0] == 1.0


@pytest.mark.parametrize("window", [1, 2])
def test_a_window_may_be_shorter_than_the_distance_that_is_counted(window):
    memory = a_memory(encoder_window=window)
    items = np.full((1, window), 5, np.int32)
    memory.learn(items, targets_of(7))
    assert memory.probabilities(memory.recall(items), targets_of(7))[0, memory.components.successors][0] == 1.0


def test_soft_targets_are_what_followed_and_nothing_where_nothing_did():
    memory = a_memory()
    memory.learn(items_of(5), targets_of(7))
    windows = np.concatenate([items_of(5), items_of(6, 5), items_of(6), items_of()])
    drawn = memory.sample_successors(windows, 50, np.random.default_rng(0))
    assert [set(row.tolist()) for row in drawn] == [{7}, {7, 0}, {0}, {0}]


def test_soft_targets_follow_the_counts():
    memory = a_memory()
    for target in (7, 7, 7, 8):
        memory.learn(items_of(5), targets_of(target))
    drawn = memory.sample_successors(items_of(5), 4_000, np.random.default_rng(0))
    assert (drawn == 7).mean() == pytest.approx(0.75, abs=0.03)


def test_searches_and_shared_rows_are_skipped():
    window = np.array([[5, -2, 6, 1], [0, 0, 5, 6]], np.int32)
    assert a_memory().recent_items(window).tolist() == [[0, 0, 5, 6], [0, 0, 5, 6]]


def test_lightest_neighbour_gives_way():
    counts = NeighbourCounts(num_items=9, num_slots=2, half_life=100)
    counts.add(np.array([1, 1, 1]), np.array([5, 5, 6]), np.ones(3))
    counts.add(np.array([1]), np.array([7]), np.ones(1))
    assert sorted(counts.ids[1].tolist()) == [5, 7]


def test_counts_halve_in_a_half_life():
    counts = NeighbourCounts(num_items=9, num_slots=2, half_life=100)
    counts.add(np.array([1]), np.array([5]), np.ones(1))
    counts.age(100)
    counts.add(np.array([1]), np.array([6]), np.ones(1))
    ids, shares, _ = counts.of(np.array([1]))
    assert dict(zip(ids[0].tolist(), shares[0].tolist(), strict=True)) == pytest.approx({5: 1 / 3, 6: 2 / 3})


def test_scaling_down_changes_no_share():
    counts = NeighbourCounts(num_items=9, num_slots=2, half_life=1)
    counts.add(np.array([1, 1]), np.array([5, 6]), np.array([1.0, 3.0]))
    counts.age(80)
    assert counts.unit == 1.0
    assert sorted(counts.of(np.array([1]))[1][0].tolist()) == pytest.approx([0.25, 0.75])


def test_nothing_remains_of_an_item_that_left():
    memory = a_memory()
    memory.learn(items_of(5), targets_of(7))
    memory.learn(items_of(7), targets_of(8))
    memory.forget(targets_of(7))
    assert memory.recall(items_of(5)).likeliest(9).tolist() == [5]
    assert memory.recall(items_of(8)).likeliest(9).tolist() == [8]
    assert not memory.is_seen[7]
    assert memory.popularity(targets_of(7, 8)).tolist() == pytest.approx([0.0, 1.0])


def test_popularity_is_a_distribution():
    memory = a_memory()
    memory.learn(np.repeat(items_of(5), 3, 0), targets_of(7, 7, 8))
    assert memory.popularity(slice(0, 20)).sum() == pytest.approx(1.0)


def test_restored_memory_learns_on_with_equal_bits():
    memory, other = a_memory(), a_memory()
    memory.learn(items_of(5, 6), targets_of(7))
    other.restore(state_of(memory.parts()))
    for m in (memory, other):
        m.learn(items_of(6, 7), targets_of(9))
    left, right = state_of(memory.parts()), state_of(other.parts())
    assert all(np.array_equal(left[name], right[name]) for name in left)
