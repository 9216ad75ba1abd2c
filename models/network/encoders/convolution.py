"""A stack of causal dilated convolutions (WaveNet, van den Oord et al. 2016), read at the newest position."""

import jax
import jax.numpy as jnp
from flax import nnx

from models.inputs.layout import Layout

KERNEL = 4  # two layers reach over 16 positions


class ConvolutionEncoder(nnx.Module):
    """Each layer's dilation is `KERNEL` times the one before, until the newest position sees the whole window.

    What the newest position depends on is then a tree: every layer reads `KERNEL` neighbouring nodes of the one below
    and nothing twice. Context = its root and the last input.
    """

    def __init__(self, dim: int, time: int, rngs: nnx.Rngs) -> None:
        self.width = 2 * dim
        num_layers = next(n for n in range(1, 1 + time) if KERNEL**n >= time)
        self.layers = nnx.List([nnx.Linear(KERNEL * dim, dim, rngs=rngs) for _ in range(num_layers)])

    def __call__(self, inputs: jax.Array, layout: Layout) -> jax.Array:
        """See `Encoder`."""
        nodes, is_event = layout.spread(inputs), layout.is_event
        for layer in self.layers:
            nodes, is_event = _grouped(nodes), jnp.any(_grouped(is_event), axis=-1)
            below = nodes.reshape(*nodes.shape[:2], -1)
            nodes = jnp.where(is_event[..., None], nodes[:, :, -1] + nnx.gelu(layer(below)), 0.0)
        return jnp.concatenate([nodes[:, -1], layout.newest(inputs)], axis=-1)


def _grouped(nodes: jax.Array) -> jax.Array:
    """`[batch, nodes, ...]` as `[batch, groups, KERNEL, ...]`, empty ones before the oldest."""
    batch, count, *rest = nodes.shape
    padding = [(0, 0), (-count % KERNEL, 0), *((0, 0) for _ in rest)]
    return jnp.pad(nodes, padding).reshape(batch, -1, KERNEL, *rest)
