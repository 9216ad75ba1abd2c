"""The second look starts as if it were not there, learns what a sum cannot say, and shares out what there is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from models.counting.memory import Components
from models.mixture.second_look import Listed, Looked, SecondLook, SecondLookLearner, Shortlist, described, look_again
from models.network.structure import Structure
from tests.unit.models.builders import a_learner, differences, some_examples

COMPONENTS = Components(3)
NEIGHBOURS = 2
VECTORS = jnp.asarray(np.random.default_rng(1).normal(size=(9, 4)), jnp.float32)


def a_list(rng: np.random.Generator, batch: int = 32, items: int = 8) -> Listed:
    """Different items, the last two places empty; the window has the second, the first and none."""
    slots = np.stack([rng.permutation(np.arange(1, 1 + items)) for _ in range(batch)]).astype(np.int32)
    slots[:, -2:] = 0
    mixture, network, popularity, num_seen = rng.random((4, batch, items), np.float32) / items
    shares = rng.random((batch, COMPONENTS.num_candidates(NEIGHBOURS)), np.float32)
    ids = rng.integers(1, 1 + items, shares.shape).astype(np.int32)
    ids[:, -3:] = slots[:, [1, 0, -1]]
    return Listed(slots, mixture, network, popularity, num_seen, ids, shares)


def a_shortlist(listed: Listed) -> Shortlist:
    return described(VECTORS, listed, COMPONENTS)


def test_before_it_learned_nothing_changes():
    shortlist = a_shortlist(a_list(np.random.default_rng(0)))
    looked = look_again(SecondLook(COMPONENTS, nnx.Rngs(0)), shortlist)
    assert np.allclose(looked.probabilities[:, :-2], shortlist.mixture[:, :-2], rtol=1e-4)
    assert not looked.probabilities[:, -2:].any()
    assert np.allclose(looked.of_others, 1, rtol=1e-4)


def test_an_item_is_told_by_what_each_newest_item_says_of_it():
    listed = a_list(np.random.default_rng(0))
    by_component = listed.shares[0, :-3].reshape(-1, NEIGHBOURS)
    is_third = listed.ids[0, :-3].reshape(-1, NEIGHBOURS) == listed.slots[0, 2]
    told = a_shortlist(listed).features[0, 2, -2 * COMPONENTS.num_lags :]
    assert told == pytest.approx(0.15 * np.log((by_component * is_third).sum(1) + 1e-5) + 1, abs=1e-5)
    assert is_third.any()


@pytest.fixture(scope="module")
def taught() -> tuple[Listed, Looked]:
    """A list that it has not seen, and what it makes of it after 120 lessons that the last item comes again."""
    rng = np.random.default_rng(0)
    look = SecondLook(COMPONENTS, nnx.Rngs(0))
    structure = Structure(look)
    learner = SecondLookLearner(structure)
    learn, state = jax.jit(learner.learn), learner.begin(look)
    for _ in range(120):
        listed = a_list(rng)
        state = learn(state, a_shortlist(listed), the_last(listed))
    listed = a_list(rng)
    return listed, look_again(structure.build(state.average), a_shortlist(listed))


def test_what_it_learned_moves_probability_and_makes_none(taught):
    listed, looked = taught
    probabilities = np.asarray(looked.probabilities)
    best = np.take_along_axis(np.asarray(listed.slots), probabilities.argmax(1)[:, None], 1)[:, 0]
    assert (best == the_last(listed)).all()
    assert probabilities.sum(1) == pytest.approx(listed.mixture[:, :-2].sum(1), rel=1e-4)


def test_no_other_item_stands_above_those_it_has_seen(taught):
    listed, looked = taught
    others = listed.mixture[:, :-2].min(1) * looked.of_others
    least = looked.probabilities[:, :-2].min(1)
    assert others == pytest.approx(least, rel=1e-4)
    assert (least < 0.5 * listed.mixture[:, :-2].min(1)).any()


def the_last(listed: Listed) -> np.ndarray:
    """The newest item of the window again."""
    return np.asarray(listed.ids)[:, -3]


@pytest.mark.parametrize("target", [0, 99])
def test_targets_that_are_not_listed_teach_nothing(target):
    look = SecondLook(COMPONENTS, nnx.Rngs(0))
    learner = SecondLookLearner(Structure(look))
    before = learner.begin(look)
    after = learner.learn(before, a_shortlist(a_list(np.random.default_rng(0))), np.full(32, target, np.int32))
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
