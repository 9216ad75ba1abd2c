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
from models.encoders import build_encoder
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


def some_inputs(batch: int, time: int, seed: int) -> jax.Array:
    return jax.random.normal(jax.random.key(seed), (batch, time, 8))


@every_encoder
@settings(max_examples=5, deadline=None)
@given(real=st.lists(st.integers(0, 6), min_size=5, max_size=5), seed=st.integers(0, 99))
def test_a_context_depends_neither_on_batch_mates_nor_on_what_stands_in_empty_positions(name, real, seed):
    encoder = build_encoder(a_config(encoder=name, encoder_window=6), nnx.Rngs(seed))
    is_real = np.arange(6)[None, :] >= 6 - np.array(real)[:, None]
    inputs = jnp.where(is_real[..., None], some_inputs(5, 6, seed), 0.0)
    together = encoder(inputs, is_real)
    assert together.shape == (5, encoder.width)
    others = jnp.where(np.arange(5)[:, None, None] == 2, inputs, some_inputs(5, 6, seed + 1))
    assert np.allclose(encoder(others, is_real)[2], together[2], rtol=0, atol=1e-6)


@every_encoder
def test_a_longer_window_of_empty_positions_before_the_same_events_changes_nothing(name):
    encoder = build_encoder(a_config(encoder=name, encoder_window=4), nnx.Rngs(0))
    inputs = some_inputs(3, 2, 0)
    padded = jnp.concatenate([jnp.zeros((3, 2, 8)), inputs], axis=1)
    is_real = np.arange(4)[None, :].repeat(3, 0) >= 2
    assert np.allclose(encoder(inputs, is_real[:, 2:]), encoder(padded, is_real), rtol=0, atol=1e-6)


@every_encoder
def test_every_event_of_the_window_can_change_the_context(name):
    encoder = build_encoder(a_config(encoder=name, encoder_window=6), nnx.Rngs(0))
    inputs, is_real = some_inputs(1, 6, 0), np.ones((1, 6), bool)
    before = encoder(inputs, is_real)
    for time in range(6):
        moved = inputs.at[0, time].add(1.0)
        assert not np.allclose(encoder(moved, is_real), before, atol=1e-4)


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
