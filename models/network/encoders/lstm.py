"""Long short-term memory over the window (Hochreiter and Schmidhuber 1997; forget gates by Gers et al. 2000)."""

import jax
import jax.numpy as jnp
from flax import nnx

from models.inputs.layout import Layout


class LstmEncoder(nnx.Module):
    """Context = last output and last input."""

    def __init__(self, dim: int, rngs: nnx.Rngs) -> None:
        self.width = 2 * dim
        self.project = nnx.Linear(dim, 4 * dim, rngs=rngs)
        self.recur = nnx.Linear(dim, 4 * dim, use_bias=False, rngs=rngs)

    def __call__(self, inputs: jax.Array, layout: Layout) -> jax.Array:
        """See `Encoder`; unrolled like the GRU."""
        projected = layout.spread(self.project(inputs))
        cell = output = jnp.zeros((len(projected), inputs.shape[1]), jnp.float32)
        for time in range(projected.shape[1]):
            is_event = layout.is_event[:, time, None]
            new_cell, new_output = self._advance(cell, output, projected[:, time])
            cell, output = jnp.where(is_event, new_cell, cell), jnp.where(is_event, new_output, output)
        return jnp.concatenate([output, layout.newest(inputs)], axis=-1)

    def _advance(self, cell: jax.Array, output: jax.Array, projected: jax.Array) -> tuple[jax.Array, jax.Array]:
        admit, forget, emit, new = jnp.split(projected + self.recur(output), 4, axis=-1)
        cell = nnx.sigmoid(forget + 1.0) * cell + nnx.sigmoid(admit) * jnp.tanh(new)
        return cell, nnx.sigmoid(emit) * jnp.tanh(cell)
