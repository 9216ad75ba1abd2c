"""A gated linear recurrence (minGRU, Feng et al. 2024), read at its end without running it."""

import jax
import jax.numpy as jnp
from flax import nnx

from models.batches import Array


class LinearEncoder(nnx.Module):
    """The carry `c[t] = (1 - z[t]) c[t-1] + z[t] n[t]`, whose gate z and candidate n know the input only.

    Its last value is the sum of `z[t] n[t]` times all later `1 - z`: one matrix product and a reversed running sum of
    logarithms, all positions at once. Context = that carry and the last input.
    """

    def __init__(self, dim: int, rngs: nnx.Rngs) -> None:
        self.width = 2 * dim
        self.project = nnx.Linear(dim, 2 * dim, rngs=rngs)

    def __call__(self, inputs: jax.Array, is_real: Array) -> jax.Array:
        """See `Encoder`."""
        gate, candidate = jnp.split(self.project(inputs), 2, axis=-1)
        log_kept = jnp.where(is_real[..., None], nnx.log_sigmoid(-gate), 0.0)
        kept_until_end = jnp.exp(jax.lax.cumsum(log_kept, axis=1, reverse=True) - log_kept)
        carry = jnp.sum(kept_until_end * nnx.sigmoid(gate) * candidate, axis=1, where=is_real[..., None])
        return jnp.concatenate([carry, inputs[:, -1]], axis=-1)
