"""The second look starts as if it were not there, learns what a sum cannot say, and shares out what there is."""

import jax
import numpy as np
import pytest
from flax import nnx

from models.mixture.second_look import Listed, SecondLook, SecondLookLearner, Shortlist, look_again
from models.network.structure import Structure
from tests.unit.models.builders import a_learner, differences, some_examples

WINDOW = 3


def a_shortlist(rng: np.random.Generator, batch: int = 32, items: int = 8) -> Shortlist:
    """Different items, the last two places empty."""
    slots = np.stack([rng.permutation(np.arange(1, 1 + items)) for _ in range(batch)]).astype(np.int32)
    slots[:, -2:] = 0
    mixture, network, popularity = rng.random((3, batch, items), np.float32) / items
    listed = Listed(slots, mixture, network, popularity, slots[:, [1, 0, -1]])
    return Shortlist(listed, rng.uniform(-1, 1, (batch, items)).astype(np.float32))


def test_before_it_learned_nothing_changes():
    shortlist = a_shortlist(np.random.default_rng(0))
    looked = look_again(SecondLook(WINDOW, nnx.Rngs(0)), shortlist)
    assert np.allclose(looked[:, :-2], shortlist.listed.mixture[:, :-2], rtol=1e-4)
    assert not looked[:, -2:].any()


def test_what_it_learned_moves_probability_and_makes_none():
    rng = np.random.default_rng(0)
    structure = Structure(SecondLook(WINDOW, nnx.Rngs(0)))
    learner = SecondLookLearner(structure)
    learn, state = jax.jit(learner.learn), learner.begin()
    for _ in range(120):
        shortlist = a_shortlist(rng)
        state = learn(state, shortlist, shortlist.listed.recent[:, 0])  # the next item is always the last again
    shortlist = a_shortlist(rng)
    slots, mixture, *_, recent = shortlist.listed
    looked = np.asarray(look_again(structure.build(state.average), shortlist))
    assert (np.take_along_axis(slots, looked.argmax(1)[:, None], 1)[:, 0] == recent[:, 0]).all()
    assert looked.sum(1) == pytest.approx(mixture[:, :-2].sum(1), rel=1e-4)


@pytest.mark.parametrize("target", [0, 99])
def test_targets_that_are_not_listed_teach_nothing(target):
    learner = SecondLookLearner(Structure(SecondLook(WINDOW, nnx.Rngs(0))))
    before = learner.begin()
    after = learner.learn(before, a_shortlist(np.random.default_rng(0)), np.full(32, target, np.int32))
    assert all(np.array_equal(before.params[name], after.params[name]) for name in before.params)
    assert all(np.allclose(before.average[name], after.average[name], atol=1e-6) for name in before.average)


def test_it_learns_from_what_is_scored_and_is_restored_to_the_bit():
    learner, restored = a_learner(), a_learner()
    untaught = learner.state()
    learner.add(some_examples(learner, 40))
    while learner.learn_batch():
        pass
    state = learner.state()
    weights = [name for name in state if name.startswith("device/[2]") and "outer" in name]
    assert weights
    assert all(np.any(state[name] != untaught[name]) for name in weights)
    restored.restore(state)
    assert not differences(learner, restored)
