"""The network: from the positions of a window to an interest on the unit sphere."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from models.batches import Array
from models.config import ModelConfig
from models.encoders import build_encoder
from models.features import KINDS, NUM_GAP_BUCKETS
from models.gate import Gate
from models.memory import Components

Params = nnx.State[Any, Any]


def unit(vectors: jax.Array) -> jax.Array:
    """Vectors at length 1 along the last axis; zeros stay zeros."""
    return vectors * jax.lax.rsqrt(jnp.sum(vectors * vectors, axis=-1, keepdims=True) + 1e-8)


def drop(values: jax.Array, ratio: float, key: jax.Array) -> jax.Array:
    """Dropout at a granularity of 1/256: one random byte decides, a quarter of the random bits of a float."""
    dropped = round(ratio * 256)
    if not dropped:
        return values
    keep = jax.random.bits(key, values.shape, jnp.uint8) >= dropped
    return jnp.where(keep, values * (256 / (256 - dropped)), 0.0)


def position_vectors(vectors: jax.Array, slots: Array, query_tokens: Array) -> jax.Array:
    """What stands at each position: an item's vector, or the mean of a query's token vectors.

    Args:
        vectors: `[rows, dim]` float32, row 0 zero.
        slots: `[batch, time]` int32, the row of an item, 0 for none, `-1 - q` for the q-th row of `query_tokens`.
        query_tokens: `[queries, tokens]` int32 rows, 0 for none; `[0, tokens]` where no window holds a query.

    Returns:
        `[batch, time, dim]` float32.
    """
    items = vectors.at[jnp.maximum(slots, 0)].get(mode="promise_in_bounds")
    if not query_tokens.shape[0]:
        return items
    tokens = vectors.at[query_tokens].get(mode="promise_in_bounds")
    num_tokens = jnp.maximum(jnp.sum(query_tokens > 0, axis=1, keepdims=True), 1)
    queries = jnp.sum(tokens, axis=1) / num_tokens.astype(jnp.float32)
    at = jnp.maximum(-1 - slots, 0)
    return jnp.where((slots < 0)[..., None], queries.at[at].get(mode="promise_in_bounds"), items)


class InterestNetwork(nnx.Module):
    """Window positions to context and interest, and the gate that weighs the interest against the memory."""

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs) -> None:
        num_features = len(KINDS) + NUM_GAP_BUCKETS + 1
        self.dropout = config.dropout
        self.features = nnx.Linear(
            num_features, config.dim, use_bias=False, kernel_init=nnx.initializers.zeros, rngs=rngs
        )
        self.encoder = build_encoder(config, rngs)
        self.head = nnx.Linear(self.encoder.width, config.dim, use_bias=False, rngs=rngs)
        self.gate = Gate(self.encoder.width, Components(config.encoder_window), rngs)
        self.scale = nnx.Param(jnp.float32(config.score_scale))
        self.temperature = nnx.Param(jnp.float32(0.0))

    def inputs(self, at_positions: jax.Array, kinds: Array, gaps: Array, values: Array) -> jax.Array:
        """Position vectors plus what the kind, the time gap and the value of each event say: `[batch, time, dim]`."""
        known = [
            jax.nn.one_hot(kinds, len(KINDS), dtype=jnp.float32),
            jax.nn.one_hot(gaps, NUM_GAP_BUCKETS, dtype=jnp.float32),
            values.astype(jnp.float32)[..., None],
        ]
        return at_positions + self.features(jnp.concatenate(known, axis=-1))

    def __call__(self, inputs: jax.Array, is_real: Array) -> tuple[jax.Array, jax.Array]:
        """Encode windows: context `[batch, width]` and interest `[batch, dim]` of unit length."""
        context = self.encoder(jnp.where(is_real[..., None], inputs, 0.0), is_real)
        return context, unit(self.head(context))

    def noisy(self, inputs: jax.Array, is_real: Array, key: jax.Array) -> jax.Array:
        """Interest `[batch, dim]` with dropout on inputs and context, for learning."""
        input_key, context_key = jax.random.split(key)
        dropped = drop(jnp.where(is_real[..., None], inputs, 0.0), self.dropout, input_key)
        context = self.encoder(dropped, is_real)
        return unit(self.head(drop(context, self.dropout, context_key)))
