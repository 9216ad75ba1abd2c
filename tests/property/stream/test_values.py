"""Laws of the cleaning of values."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.inputs.features import CLICK, SEARCH, WindowBatch
from stream.users.values import BINS, REFRESH, ValuePolicy, ValueSketch, smooth

some_values = arrays(np.float16, st.integers(1, 40), elements=st.floats(-1, 1, width=16))
policies = st.builds(ValuePolicy, st.sampled_from([0.0, 1.0, 3.0]), st.booleans())
a_filter = st.sampled_from(["median", "low_pass"])


def a_sketch(seed: int = 0, count: int = 4 * REFRESH) -> ValueSketch:
    sketch = ValueSketch()
    values = np.random.default_rng(seed).normal(0.3, 0.05, count).astype(np.float16)
    sketch.clean(np.zeros(count, np.int8), values, ValuePolicy(use_quantiles=True))
    return sketch


def cleaned(sketch: ValueSketch, values: np.ndarray, policy: ValuePolicy) -> np.ndarray:
    return sketch.clean(np.full(len(values), CLICK, np.int8), values, policy)


def a_window(values: np.ndarray) -> WindowBatch:
    window = WindowBatch.empty(1, len(values))
    return replace(window, slots=window.slots + 3, values=values[None, :])


@given(values=some_values)
def test_quantiles_are_in_0_to_1_and_keep_the_order(values):
    quantiles = cleaned(a_sketch(), np.sort(values[values != 0]), ValuePolicy(use_quantiles=True))
    assert ((quantiles >= 0) & (quantiles <= 1)).all()
    assert (np.diff(quantiles) >= 0).all()


@given(values=some_values)
def test_no_value_is_further_out_than_the_deviations_allowed_and_what_is_within_stays(values):
    kept = cleaned(a_sketch(), values, ValuePolicy(outlier_deviations=4.0))
    reach = 4 * 0.05 * 1.15 + 2 / BINS  # the deviation is estimated
    assert (np.abs(kept[values != 0] - 0.3) <= reach).all()
    is_usual = np.abs(values - 0.3) < 3 * 0.05
    assert np.array_equal(kept[is_usual], values[is_usual])


@given(values=some_values, policy=policies)
def test_what_has_no_value_gets_none_and_another_kind_is_not_judged_by_clicks(values, policy):
    sketch = a_sketch()
    assert not cleaned(sketch, np.zeros(9, np.float16), policy).any()
    kinds = np.full(len(values), SEARCH, np.int8)
    other = sketch.clean(kinds, values, ValuePolicy(outlier_deviations=1.0))
    assert np.array_equal(other, values)


@settings(deadline=None)
@given(seed=st.integers(0, 99), cuts=st.lists(st.integers(0, 700), max_size=4), policy=policies)
def test_how_values_are_cut_into_calls_makes_no_difference_nor_does_a_restore(seed, cuts, policy):
    values = np.random.default_rng(seed).uniform(-1, 1, 700).astype(np.float16)
    once = cleaned(a_sketch(), values, policy)
    sketch, parts = a_sketch(), []
    for part in np.split(values, sorted(cuts)):
        parts.append(cleaned(sketch, part, policy))
        state, sketch = sketch.state(), ValueSketch()
        sketch.restore(state)
    assert np.array_equal(once, np.concatenate(parts))


@given(values=some_values, value_filter=a_filter)
def test_filters_stay_within_what_was_there_and_look_at_nothing_later(values, value_filter):
    filtered = smooth(a_window(values), value_filter).values[0]
    assert (filtered >= values.min() - 1e-3).all()
    assert (filtered <= values.max() + 1e-3).all()
    half = len(values) // 2
    assert np.array_equal(smooth(a_window(values[:half]), value_filter).values[0], filtered[:half])


@given(level=st.floats(0.0625, 1, width=16), jump=st.floats(-1, 1, width=16), at=st.integers(2, 8))
def test_a_single_jump_passes_no_median_filter(level, jump, at):
    values = np.full(10, level, np.float16)
    values[at] = jump
    filtered = smooth(a_window(values), "median").values[0]
    assert np.array_equal(np.where(values == 0, level, filtered), np.full(10, np.float16(level)))


@pytest.mark.parametrize("value_filter", ["median", "low_pass"])
def test_a_filter_keeps_kinds_apart(value_filter):
    window = a_window(np.array([0.5, -0.5] * 4, np.float16))
    window = replace(window, kinds=np.tile(np.array([0, 1], np.int8), 4)[None, :])
    assert np.array_equal(smooth(window, value_filter).values, window.values)
