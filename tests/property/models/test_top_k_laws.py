"""What is found among blocks is what is found among all, whatever is equal to what."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.mixture.top_k import BLOCK, top_k

COUNT, ROWS = 4, 3


@pytest.mark.parametrize("width", [COUNT, 2 * COUNT * BLOCK, 10 * COUNT * BLOCK, 10 * COUNT * BLOCK + 5])
@given(seed=st.integers(0, 2**32 - 1), levels=st.lists(st.floats(-9, 9, width=32) | st.just(-np.inf), min_size=1))
def test_it_is_the_top_k_of_all_equal_ones_included(width: int, seed: int, levels: list[float]):
    scores = jnp.asarray(np.random.default_rng(seed).choice(np.array(levels, np.float32), (ROWS, width)))
    for found, expected in zip(top_k(scores, COUNT), jax.lax.top_k(scores, COUNT), strict=True):
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("value", [0.0, -np.inf])
def test_of_equals_the_first_are_taken(value: float):
    _, at = top_k(jnp.full((ROWS, 10 * COUNT * BLOCK), value), COUNT)
    assert np.array_equal(at, np.tile(np.arange(COUNT), (ROWS, 1)))
