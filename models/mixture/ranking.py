"""Where the next item stands among all items seen so far, for each of the rankers. Runs on the device."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from models.inputs.batches import PADDED_SIZES
from models.inputs.layout import Array
from models.mixture.gate import Gate
from models.mixture.second_look import LOOKED_AT, Listed, SecondLook, Shortlist, described, look_again
from models.mixture.top_k import top_k
from models.network.heads import unit

SMALLEST_CATALOGUE = 4_096
TOP_ITEMS = 20
SCORES_AT_ONCE = 2**20  # of a ranker; no cache holds more: .9 ms a prediction among 65,536 items in place of .66


class RankBatch(NamedTuple):
    """Predictions to be ranked.

    Attributes:
        targets: `[batch]` int32 item slots.
        ids: `[batch, candidates]` int32, what the memory expects, 0 for none.
        shares: `[batch, candidates]` float32.
        confidence: `[batch, components]` float32.
        has_say: `[batch, components]` bool.
        is_seen: `[items]` bool, the items that stand in the ranking.
        popularity: `[items]` float32.
        num_seen: `[items]` float32, how often each was the next one.
    """

    targets: Array
    ids: Array
    shares: Array
    confidence: Array
    has_say: Array
    is_seen: Array
    popularity: Array
    num_seen: Array


def catalogue_sizes(num_item_rows: int, growth: int = 2) -> list[int]:
    """The few sizes of the ranked part of the table: each `growth` times the one before, the last all of it."""
    sizes = []
    size = SMALLEST_CATALOGUE
    while size < num_item_rows:
        sizes.append(size)
        size *= growth
    return [*sizes, num_item_rows]


def least_size(sizes: list[int], num_items: int) -> int:
    """The least of the ascending `sizes` that holds so many items; the last must."""
    return next(size for size in sizes if size >= num_items)


def num_at_once(num_items: int) -> int:
    """Predictions that are ranked in one call among so many items: a power of two, fewer where there are more items."""
    return 2 ** (min(PADDED_SIZES[0], max(1, SCORES_AT_ONCE // num_items)).bit_length() - 1)


class Judges(NamedTuple):
    """What decides with the network.

    Attributes:
        gate: weighs the components.
        look: shares out anew what the best items have.
    """

    gate: Gate
    look: SecondLook


def logits_of(vectors: jax.Array, scaled: jax.Array, batch: RankBatch) -> jax.Array:
    """What the network says of every item, which is half of the work of ranking them.

    Args:
        vectors: `[rows, dim]` float32, the embedding table.
        scaled: `[batch or more, dim]` float32, interests times the network's scale.
        batch: the predictions.

    Returns:
        `[batch, items]` float32, about -1e9 for those that do not stand in the ranking.
    """
    count, size = batch.targets.shape[0], batch.is_seen.shape[0]
    return jnp.where(batch.is_seen[None, :], scaled[:count] @ unit(vectors[:size]).T, -1e9)


def scores(
    judges: Judges, vectors: jax.Array, context: jax.Array, logits: jax.Array, batch: RankBatch
) -> tuple[list[jax.Array], Shortlist]:
    """What each ranker gives to every item.

    Args:
        judges: the gate and the second look.
        vectors: `[rows, dim]` float32, the embedding table.
        context: `[batch or more, width]` float32.
        logits: see `logits_of`.
        batch: the predictions.

    Returns:
        `[batch, items]` float32 for each of `evaluation.RANKERS`, in that order, and what the second look was at.
    """
    gate, look = judges
    count = batch.targets.shape[0]
    context = context[:count]
    rows = jnp.arange(count)[:, None]
    weights = jnp.exp(gate(context, batch.confidence, batch.has_say))
    components = gate.components
    neighbours = (batch.ids.shape[1] - components.window) // (2 * components.num_lags)
    of_candidates = components.of_candidates(neighbours)
    by_network = jax.nn.softmax(logits * jnp.exp(gate.temperature[...]), axis=-1)
    popularity = jnp.broadcast_to(batch.popularity[None, :], logits.shape)
    mixture = weights[:, :1] * by_network + weights[:, -1:] * popularity
    mixture = mixture.at[rows, batch.ids].add(weights[:, of_candidates] * batch.shares)
    shortlist = described(vectors, _listed(mixture, by_network, batch), components)
    looked = look_again(look, shortlist)
    mixture = (mixture * looked.of_others[:, None]).at[rows, shortlist.slots].set(looked.probabilities)
    rule = jnp.asarray(components.counting_rule())[of_candidates]
    counting = jnp.zeros_like(logits).at[rows, batch.ids].add(rule[None, :] * batch.shares)
    return [mixture, logits, counting, popularity], shortlist


def _listed(mixture: jax.Array, by_network: jax.Array, batch: RankBatch) -> Listed:
    best, slots = top_k(mixture, min(LOOKED_AT, mixture.shape[1]))
    network = jnp.take_along_axis(by_network, slots, axis=1)
    popularity, num_seen = jnp.asarray(batch.popularity)[slots], jnp.asarray(batch.num_seen)[slots]
    slots = jnp.where(jnp.asarray(batch.is_seen)[slots], slots, 0)
    return Listed(slots, best, network, popularity, num_seen, batch.ids, batch.shares)


def rank(
    judges: Judges, vectors: jax.Array, context: jax.Array, logits: jax.Array, batch: RankBatch
) -> tuple[jax.Array, Shortlist]:
    """Ranks of the targets, 0 the top, ties against them; arguments as of `scores`.

    Returns:
        `[batch, rankers]` int32, in the order of `evaluation.RANKERS`, and what the second look was at.
    """
    by_ranker, shortlist = scores(judges, vectors, context, logits, batch)
    return jnp.stack([_rank_of(score, batch) for score in by_ranker], axis=1), shortlist


def top(judges: Judges, vectors: jax.Array, context: jax.Array, logits: jax.Array, batch: RankBatch) -> jax.Array:
    """The `TOP_ITEMS` best items seen, best first; arguments as of `scores`.

    Returns:
        `[batch, rankers, TOP_ITEMS]` int32 item slots.
    """
    by_ranker, _ = scores(judges, vectors, context, logits, batch)
    masked = [jnp.where(batch.is_seen[None, :], score, -jnp.inf) for score in by_ranker]
    return jnp.stack([top_k(score, min(TOP_ITEMS, score.shape[1]))[1] for score in masked], axis=1)


def _rank_of(scores: jax.Array, batch: RankBatch) -> jax.Array:
    own = jnp.take_along_axis(scores, batch.targets[:, None], axis=1)
    return jnp.sum((scores >= own) & batch.is_seen[None, :], axis=1) - 1
