"""A gated linear recurrence (minGRU, Feng et al. 2024), its matrix products done for all events at once."""

import jax
import jax.numpy as jnp
from flax import nnx

from models.inputs.layout import Layout


class LinearEncoder(nnx.Module):
    """The carry `c[t] = (1 - z[t]) c[t-1] + z[t] n[t]`, whose gate z and candidate n know the input only.

    So all matrix products are done at once, of events alone; what is left in order is one multiplication and one
    addition a step. Context = the last carry and the last input.
    """

    def __init__(self, dim: int, rngs: nnx.Rngs) -> None:
        self.width = 2 * dim
        self.project = nnx.Linear(dim, 2 * dim, rngs=rngs)

    def __call__(self, inputs: jax.Array, layout: Layout) -> jax.Array:
        """See `Encoder`."""
        gate, candidate = jnp.split(self.project(inputs), 2, axis=-1)
        replaced = nnx.sigmoid(gate)
        steps = layout.spread(jnp.concatenate([replaced, replaced * candidate], axis=-1))  # 0 where there is no event
        carry = jnp.zeros((len(steps), inputs.shape[1]), jnp.float32)
        for step in jnp.split(steps, steps.shape[1], axis=1):
            share, new = jnp.split(step[:, 0], 2, axis=-1)
            carry = (1 - share) * carry + new
        return jnp.concatenate([carry, layout.newest(inputs)], axis=-1)
