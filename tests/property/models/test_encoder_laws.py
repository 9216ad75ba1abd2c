"""Laws of every encoder and head, and of every way to learn, that a setting can name."""

from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from models.config import EncoderName, HeadName, LossName, OptimiserName, ScheduleName
from models.inputs.layout import Layout
from models.network.encoders import build_encoder
from tests.unit.models.builders import a_config, a_learner, differences, learn_all, some_examples, windows_of

ENCODERS = get_args(EncoderName)
CHOICES: list[dict[str, Any]] = [  # every name that a setting knows, few enough to be compiled
    {"encoder": "gru", "head": "point", "loss": "sampled_softmax", "optimiser": "adam", "schedule": "constant"},
    {"encoder": "lstm", "head": "variational", "optimiser": "adamw", "schedule": "warmup", "l1": 1e-3, "l2": 1e-3},
    {"encoder": "linear", "loss": "binary_cross_entropy", "optimiser": "adagrad", "schedule": "cosine"},
    {"encoder": "convolution", "loss": "squared_error", "optimiser": "sgd", "schedule": "inverse_sqrt"},
    {"encoder": "average", "loss": "full_softmax", "crop": 0.5, "mask": 0.5, "reorder": 0.5, "substitute": 0.5},
]
every_encoder = pytest.mark.parametrize("name", ENCODERS)
every_choice = pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice["encoder"])


def some_inputs(count: int, seed: int) -> jax.Array:
    return jax.random.normal(jax.random.key(seed), (count, 8))


def windows_with(events: list[int], room: int = 40) -> Layout:
    """Windows of 6 positions that hold so many events."""
    is_event = np.arange(6)[None, :] >= 6 - np.array(events)[:, None]
    at = np.where(is_event, np.cumsum(is_event).reshape(is_event.shape) - 1, room)
    places = np.flatnonzero(is_event)
    return Layout(at, np.pad(places, (0, room - len(places)), constant_values=is_event.size))


@settings(deadline=None)
@given(events=st.lists(st.integers(0, 6), min_size=1, max_size=6))
def test_what_is_spread_out_can_be_packed_again_and_so_can_its_gradient(events):
    layout, packed = windows_with(events), some_inputs(40, 0)
    spread = np.asarray(layout.spread(packed))
    is_event = np.arange(6)[None, :] >= 6 - np.array(events)[:, None]
    assert np.array_equal(spread[is_event], packed[: sum(events)])
    assert not spread[~is_event].any()
    assert np.array_equal(layout.newest(packed), spread[:, -1])
    by_position = jnp.arange(spread.size, dtype=jnp.float32).reshape(spread.shape)
    gradient = jax.grad(lambda p: jnp.sum(layout.spread(p) * by_position))(packed)
    assert np.array_equal(gradient[: sum(events)], by_position[is_event])
    assert not gradient[sum(events) :].any()


@every_encoder
@settings(max_examples=5, deadline=None)
@given(events=st.lists(st.integers(0, 6), min_size=5, max_size=5), seed=st.integers(0, 99))
def test_a_context_depends_neither_on_batch_mates_nor_on_padding(name, events, seed):
    encoder = build_encoder(a_config(encoder=name, encoder_window=6), nnx.Rngs(seed))
    inputs, start = some_inputs(40, seed), sum(events[:2])
    together = encoder(inputs, windows_with(events))
    assert together.shape == (5, encoder.width)
    own = inputs[start : start + events[2]]
    alone = jnp.concatenate([own, some_inputs(12, seed + 1)])
    assert np.allclose(encoder(alone, windows_with(events[2:3], len(alone)))[0], together[2], rtol=0, atol=1e-6)


@every_encoder
def test_every_event_of_the_window_can_change_the_context(name):
    encoder = build_encoder(a_config(encoder=name, encoder_window=6), nnx.Rngs(0))
    inputs, layout = some_inputs(6, 0), windows_with([6], 6)
    before = encoder(inputs, layout)
    for time in range(6):
        assert not np.allclose(encoder(inputs.at[time].add(1.0), layout), before, atol=1e-4)


def test_every_name_is_among_the_choices():
    names = {name for choice in CHOICES for name in choice.values() if isinstance(name, str)}
    literals = (EncoderName, HeadName, LossName, OptimiserName, ScheduleName)
    assert names == {name for literal in literals for name in get_args(literal)}


@every_choice
def test_holes_in_a_window_change_nothing(choice):
    learner = a_learner(**choice)
    learner.add(some_examples(learner, 8))
    learn_all(learner)
    holed, dense = learner.encode(windows_of([3, 0, 4, 0], [3, 4]))
    assert np.array_equal(holed, dense)


@every_choice
def test_what_is_restored_goes_on_to_the_bit_and_nothing_is_compiled_after_the_start(choice):
    steady, restored = a_learner(**choice), a_learner(**choice)
    steady.compile()
    compiled = steady.compilations
    steady.add(some_examples(steady, 20))
    steady.learn_batch()
    steady.replay_batch()
    restored.restore(steady.state())
    for learner in (steady, restored):
        learn_all(learner)
    assert differences(steady, restored) == []
    assert steady.compilations == compiled


@every_choice
def test_learning_moves_the_touched_items_and_no_others(choice):
    learner = a_learner(**choice)
    learner.resolve_items([f"item {n}" for n in range(20)])
    learner.take_touched_items()
    before = learner.item_vectors(np.arange(learner.items.num_rows))
    learner.add(some_examples(learner, 8, num_items=5))
    report = learner.learn_batch()
    touched = learner.take_touched_items()
    after = learner.item_vectors(np.arange(learner.items.num_rows))
    moved = np.flatnonzero((before != after).any(1))
    assert report is not None
    assert np.isfinite(report.loss)
    assert len(moved) > 0
    assert np.isin(moved, touched).all()
