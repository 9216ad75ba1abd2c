"""A gated recurrent unit over the window (Cho et al. 2014), unrolled."""

import jax
import jax.numpy as jnp
from flax import nnx

from models.inputs.layout import Layout


class GruEncoder(nnx.Module):
    """Context = last carry and last input, so that the newest event is never washed out."""

    def __init__(self, dim: int, rngs: nnx.Rngs) -> None:
        self.width = 2 * dim
        self.project = nnx.Linear(dim, 3 * dim, rngs=rngs)
        self.recur = nnx.Linear(dim, 3 * dim, use_bias=False, rngs=rngs)

    def __call__(self, inputs: jax.Array, layout: Layout) -> jax.Array:
        """See `Encoder`. Unrolled, since a scan over 12 positions is three times slower on a CPU."""
        projected, is_event = layout.spread(self.project(inputs)), layout.is_event
        carry = jnp.zeros((len(projected), inputs.shape[1]), jnp.float32)
        for time in range(projected.shape[1]):
            after = self._advance(carry, projected[:, time])
            carry = jnp.where(is_event[:, time, None], after, carry)
        return jnp.concatenate([carry, layout.newest(inputs)], axis=-1)

    def _advance(self, carry: jax.Array, projected: jax.Array) -> jax.Array:
        input_reset, input_update, input_new = jnp.split(projected, 3, axis=-1)
        carry_reset, carry_update, carry_new = jnp.split(self.recur(carry), 3, axis=-1)
        reset = nnx.sigmoid(input_reset + carry_reset)
        update = nnx.sigmoid(input_update + carry_update)
        new = jnp.tanh(input_new + reset * carry_new)
        return (1 - update) * new + update * carry
