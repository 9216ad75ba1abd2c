"""Adam (Kingma and Ba 2015) by Optax, as a step from parameters and moments to parameters and moments."""

from typing import TypeVar

import jax
import jax.numpy as jnp
import optax

P = TypeVar("P")

Moments = optax.ScaleByAdamState

LONG_AGO = 1_000_000_000  # a count of steps beyond which moments need no correction for having started at zero


def begin(params: object) -> Moments:
    """Zero moments for a tree of parameters."""
    zeros = jax.tree.map(jnp.zeros_like, params)
    return Moments(jnp.int32(0), zeros, jax.tree.map(jnp.copy, zeros))


def step(params: P, gradient: P, moments: Moments, learning_rate: float) -> tuple[P, Moments]:
    """One step down the gradient."""
    with jax.numpy_dtype_promotion("standard"):  # Optax raises a float to the power of its integer count
        directions, after = optax.scale_by_adam().update(gradient, moments)  # type: ignore[arg-type]
    moved = jax.tree.map(lambda param, direction: param - learning_rate * direction, params, directions)
    return moved, Moments(*after)  # type: ignore[misc]


def is_finite(loss: jax.Array, *gradients: object) -> jax.Array:
    """Whether a step may be applied: bool scalar."""
    return jnp.isfinite(loss + sum((optax.tree.norm(g) for g in gradients), jnp.float32(0.0)))


def apply_if(condition: jax.Array, after: P, before: P) -> P:
    """`after` where the condition holds, else `before`, leaf by leaf."""
    chosen: P = jax.tree.map(lambda new, old: jnp.where(condition, new, old), after, before)
    return chosen
