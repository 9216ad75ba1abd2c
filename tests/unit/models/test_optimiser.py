"""Optimisers against their formulas, on the network and on a few rows of the table."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from models.config import OptimiserName
from models.network.optimiser import LONG_AGO, Optimiser, averaged, direction, optimiser, rate_factor
from models.network.table import EmbeddingTable, replace_rows
from tests.unit.models.builders import a_config

ROWS = jnp.array([[1.0, -2.0], [3.0, 4.0]])
GRADIENT = jnp.array([[0.0, 0.0], [1.0, -1.0]])


def rows_after(name: OptimiserName, steps: int = 1) -> EmbeddingTable:
    rule = Optimiser(direction(name))
    rows = EmbeddingTable(ROWS, rule.begin_rows(ROWS))
    for _ in range(steps):
        rows = rule.step_rows(rows, GRADIENT, 0.1)
    return rows


@pytest.mark.parametrize("name", ["adam", "adamw", "adagrad", "sgd"])
def test_row_without_gradient_and_moments_stays(name):
    after = rows_after(name)
    assert np.array_equal(after.vectors[0], ROWS[0])
    assert (jnp.sign(ROWS[1] - after.vectors[1]) == jnp.sign(GRADIENT[1])).all()


@pytest.mark.parametrize(("name", "moments"), [("adam", ["mu", "nu"]), ("adagrad", ["sum_of_squares"]), ("sgd", [])])
def test_a_row_keeps_the_moments_that_its_optimiser_needs_and_loses_them_when_recycled(name, moments):
    table = rows_after(name)
    assert list(table.moments) == moments
    recycled = replace_rows(table, np.array([1]), np.full((1, 2), 0.5, np.float32))
    assert recycled.vectors[1].tolist() == [0.5, 0.5]
    assert not any(moment.any() for moment in recycled.moments.values())


def test_adam_without_correction_is_the_formula():
    after = rows_after("adam")
    expected = ROWS[1] - 0.1 * 0.1 * GRADIENT[1] / (jnp.sqrt(0.001 * GRADIENT[1] ** 2) + 1e-8)
    assert np.allclose(after.vectors[1], expected, rtol=1e-5)


def test_adamw_is_that_of_optax():
    params, gradient = {"kernel": ROWS}, {"kernel": GRADIENT}
    ours = optimiser(a_config(optimiser="adamw", weight_decay=0.1))
    theirs = optax.adamw(0.01, weight_decay=0.1)
    moved, _ = ours.step(params, gradient, ours.begin(params), 0.01)
    with jax.numpy_dtype_promotion("standard"):
        updates, _ = theirs.update(gradient, theirs.init(params), params)
    expected: Any = optax.apply_updates(params, updates)
    assert np.allclose(moved["kernel"], expected["kernel"], rtol=1e-6)


def test_penalties_pull_weights_but_not_biases_to_zero():
    rule = optimiser(a_config(optimiser="sgd", l1=1.0, l2=0.5))
    params = {"kernel": ROWS, "bias": jnp.array([1.0, 2.0])}
    nothing = {name: jnp.zeros_like(param) for name, param in params.items()}
    moved, _ = rule.step(params, nothing, rule.begin(params), 0.1)
    assert np.allclose(moved["kernel"], ROWS - 0.1 * (jnp.sign(ROWS) + 0.5 * ROWS))
    assert np.array_equal(moved["bias"], params["bias"])


def test_average_of_the_first_steps_is_of_them_and_not_of_where_they_began():
    average = {"kernel": jnp.array(100.0)}
    for step in range(10):
        average = averaged(average, {"kernel": jnp.array(1.0)}, jnp.int32(step), over=100)
    assert float(average["kernel"]) == pytest.approx(1.0, abs=0.01)


def test_average_follows_within_the_steps_it_is_of():
    average = {"kernel": jnp.array(0.0)}
    for step in range(100):
        average = averaged(average, {"kernel": jnp.array(1.0)}, jnp.int32(LONG_AGO + step), over=100)
    assert float(average["kernel"]) == pytest.approx(1 - 0.99**100, abs=1e-3)


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ("constant", [1.0, 1.0, 1.0, 1.0]),
        ("warmup", [0.1, 0.5, 1.0, 1.0]),
        ("cosine", [1.0, 0.55, 1.0, 1.0]),
        ("inverse_sqrt", [1.0, 1.0, 1.0, 0.5]),
    ],
)
def test_schedules_at_the_start_half_way_at_the_end_and_at_four_times_that(schedule, factors):
    config = a_config(schedule=schedule, schedule_steps=10)
    got = [float(rate_factor(config, jnp.int32(step))) for step in (0, 5, 10, 40)]
    assert got == pytest.approx(factors, abs=1e-6)
