"""The network: from the positions of a window to an interest on the unit sphere."""

import jax
import jax.numpy as jnp
from flax import nnx

from models.config import ModelConfig
from models.inputs.batches import Positions
from models.inputs.features import KINDS, NUM_GAP_BUCKETS
from models.inputs.layout import Array, Layout
from models.network.encoders import build_encoder
from models.network.heads import build_head

RECENCY = 0.7  # initial factor from the share of an item in the window's mean to that of the one before it


def drop(values: jax.Array, ratio: float, key: jax.Array) -> jax.Array:
    """Dropout at a granularity of 1/256.

    What decides is a hash of the place and the key (the finaliser of MurmurHash3): jax's own random bits would take a
    tenth of a learning step on a CPU.
    """
    dropped = round(ratio * 256)
    if not dropped:
        return values
    places = jax.lax.iota(jnp.uint32, values.size).reshape(values.shape)
    bits = places ^ jax.random.bits(key, (), jnp.uint32)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        bits = (bits ^ (bits >> shift)) * jnp.uint32(factor)
    keep = (bits >> 24) >= dropped
    return jnp.where(keep, values * (256 / (256 - dropped)), 0.0)


def event_vectors(vectors: jax.Array, slots: Array, query_tokens: Array) -> jax.Array:
    """What each event is about: an item's vector, or the mean of a query's token vectors.

    Args:
        vectors: `[rows, dim]` float32, row 0 zero.
        slots: `[events]` int32, the row of an item, 0 for none, `-1 - q` for the q-th row of `query_tokens`.
        query_tokens: `[queries, tokens]` int32 rows, 0 for none.

    Returns:
        `[events, dim]` float32.
    """
    items = vectors.at[jnp.maximum(slots, 0)].get(mode="promise_in_bounds")
    tokens = vectors.at[query_tokens].get(mode="promise_in_bounds")
    is_token = jnp.asarray(query_tokens > 0)[..., None]
    num_tokens = jnp.maximum(jnp.sum(is_token, axis=1), 1)
    queries = jnp.sum(tokens, axis=1, where=is_token) / num_tokens.astype(jnp.float32)
    at = jnp.maximum(-1 - slots, 0)
    return jnp.where((slots < 0)[..., None], queries.at[at].get(mode="promise_in_bounds"), items)


class InterestNetwork(nnx.Module):
    """Window positions to context and interest."""

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs) -> None:
        num_features = len(KINDS) + NUM_GAP_BUCKETS + 1
        self.dropout = config.dropout
        self.features = nnx.Linear(
            num_features, config.dim, use_bias=False, kernel_init=nnx.initializers.zeros, rngs=rngs
        )
        self.encoder = build_encoder(config, rngs)
        self.head = build_head(config, self.encoder.width, rngs)
        self.recency = nnx.Param(jnp.log(RECENCY) * jnp.arange(config.encoder_window, dtype=jnp.float32))
        self.carried_over = nnx.Param(jnp.float32(1.0))
        self.scale = nnx.Param(jnp.float32(config.score_scale))

    def __call__(self, vectors: jax.Array, positions: Positions) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Read windows as when serving: context `[batch, width]`, interest and uncertainty as from a `Head`."""
        inputs = self._inputs(vectors, positions)
        context = self.encoder(inputs, positions.layout)
        return context, *self.head(context, self._carried(inputs, positions.layout))

    def noisy(self, vectors: jax.Array, positions: Positions, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Interests and their costs as from `Head.sample`, with dropout on inputs and context, for learning."""
        input_key, context_key, head_key = jax.random.split(key, 3)
        inputs = drop(self._inputs(vectors, positions), self.dropout, input_key)
        context = drop(self.encoder(inputs, positions.layout), self.dropout, context_key)
        return self.head.sample(context, self._carried(inputs, positions.layout), head_key)

    def _carried(self, inputs: jax.Array, layout: Layout) -> jax.Array:
        """A mean of the window itself, `[batch, dim]`, so that interests live where items do from the start.

        After CORE (Hou et al. 2022). The n-th newest event has the n-th weight.
        """
        logits = jnp.where(layout.is_event, self.recency[...][::-1], -1e9)
        mean = jnp.einsum("bt,btd->bd", jax.nn.softmax(logits, axis=1), layout.spread(inputs))
        return self.carried_over[...] * mean

    def _inputs(self, vectors: jax.Array, positions: Positions) -> jax.Array:
        """Event vectors plus what kind, time gap and value of each event say: `[events, dim]`."""
        known = [
            jax.nn.one_hot(positions.kinds, len(KINDS), dtype=jnp.float32),
            jax.nn.one_hot(positions.gaps, NUM_GAP_BUCKETS, dtype=jnp.float32),
            positions.values.astype(jnp.float32)[..., None],
        ]
        about = event_vectors(vectors, positions.slots, positions.query_tokens)
        return about + self.features(jnp.concatenate(known, axis=-1))
