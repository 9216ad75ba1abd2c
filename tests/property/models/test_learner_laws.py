"""Laws of the learner under any cut of the stream."""

from itertools import pairwise

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.inputs.examples import ExampleQueue, ReplayRing
from tests.unit.models.builders import a_learner, an_example, differences, learn_all, some_examples

FEW = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FEW
@given(cuts=st.lists(st.integers(0, 40), max_size=4), seed=st.integers(0, 9))
def test_how_examples_are_handed_over_does_not_change_what_is_learned(cuts, seed):
    whole, cut = a_learner(), a_learner()
    examples = some_examples(whole, 40, seed)
    some_examples(cut, 40, seed)
    whole.add(examples)
    edges = [0, *sorted(cuts), 40]
    for start, end in pairwise(edges):
        cut.add(examples.take(slice(start, end)))
    learn_all(whole)
    learn_all(cut)
    assert differences(whole, cut) == []


@FEW
@given(stop=st.integers(0, 5), seed=st.integers(0, 9))
def test_stop_restore_go_on_is_never_stopped(stop, seed):
    steady, stopped, restored = a_learner(), a_learner(), a_learner()
    for each in (steady, stopped):
        each.add(some_examples(each, 40, seed))
        for _ in range(stop):
            each.learn_batch()
    restored.restore(stopped.state())
    for each in (steady, restored):
        each.resolve_items(["one more", "and another"])
        learn_all(each)
    assert differences(steady, restored) == []


@FEW
@given(seed=st.integers(0, 99), order=st.randoms(use_true_random=False))
def test_vector_depends_only_on_the_own_window(seed, order):
    learner = a_learner()
    windows = some_examples(learner, 20, seed).windows
    shuffled = np.array(order.sample(range(20), 20))
    assert np.allclose(learner.encode(windows)[shuffled], learner.encode(windows.take(shuffled)), rtol=0, atol=1e-6)


@given(moves=st.lists(st.integers(-4, 6), max_size=30))
def test_queue_gives_back_in_order_what_was_put(moves):
    queue, expected, number = ExampleQueue(time=4), [], 0
    for move in moves:
        for _ in range(max(move, 0)):
            number += 1
            queue.put(an_example([number], number))
            expected.append(number)
        taken = queue.take(max(-move, 0)).targets.tolist()
        assert taken == expected[: len(taken)]
        expected = expected[len(taken) :]
    assert queue.waiting.targets.tolist() == expected


@given(targets=st.lists(st.integers(1, 9), max_size=30))
def test_ring_knows_how_often_each_item_is_in_it(targets):
    ring = ReplayRing(8, time=4, num_items=10)
    for target in targets:
        ring.put(an_example([1], target))
    assert ring.frequency.tolist() == np.bincount(np.array(targets[-8:], int), minlength=10).tolist()
