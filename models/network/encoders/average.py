"""An exponential average of the window: no matrix in the recurrence."""

import jax
import jax.numpy as jnp
from flax import nnx

from models.inputs.layout import Layout


class AverageEncoder(nnx.Module):
    """Every coordinate forgets at a learned rate of its own. Context = the average and the last input.

    Attributes:
        persistence: `[dim]` float32, logit of what is kept from one event to the next.
    """

    def __init__(self, dim: int) -> None:
        self.width = 2 * dim
        self.persistence = nnx.Param(jnp.zeros(dim, jnp.float32))

    def __call__(self, inputs: jax.Array, layout: Layout) -> jax.Array:
        """See `Encoder`."""
        ages = jnp.arange(layout.at.shape[1] - 1, -1, -1, dtype=jnp.float32)
        decay = jnp.exp(ages[:, None] * nnx.log_sigmoid(self.persistence[...])[None, :])
        weights = jnp.where(layout.is_event[..., None], decay[None, :, :], 0.0)
        average = jnp.sum(weights * layout.spread(inputs), axis=1) / jnp.maximum(jnp.sum(weights, axis=1), 1.0)
        return jnp.concatenate([average, layout.newest(inputs)], axis=-1)
