"""What to recommend after a window: the mixture's best among what the vectors, the memory and the trend put forward."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from models.inputs.layout import Array
from models.mixture.gate import Gate
from models.mixture.ranking import catalogue_sizes
from models.mixture.top_k import top_k
from models.network.table import Measured

NEAREST = 128  # items by their vectors, and as many by popularity, that are looked at beside the memory's
DIVERSIFIED = 100  # best items among which a diverse list is chosen


@dataclass(frozen=True)
class RecommendPolicy:
    """What a list of recommendations is like.

    Attributes:
        count: items of a list; fewer where fewer are known.
        diversity: from 0, the best items whatever they are, to 1, items unlike each other whatever they are worth.
    """

    count: int
    diversity: float = 0.0


class Recommendations(NamedTuple):
    """Items best first.

    Attributes:
        slots: `[windows, count]` int32, 0 where there is none.
        scores: `[windows, count]` float32, the probability that the model gives to each item as the next one.
    """

    slots: np.ndarray
    scores: np.ndarray


class Query(NamedTuple):
    """What the device is asked.

    Attributes:
        ids: `[batch, candidates]` int32, what the memory and the trend put forward, 0 for none.
        confidence: `[batch, components]` float32.
        has_say: `[batch, components]` bool.
        is_seen: `[items]` bool, the items that may be recommended.
    """

    ids: Array
    confidence: Array
    has_say: Array
    is_seen: Array


class Answer(NamedTuple):
    """What the device answers.

    Attributes:
        nearest: `[batch, NEAREST]` int32, by vectors.
        of_nearest: `[batch, NEAREST]` float32, the network's probability of each.
        of_ids: `[batch, candidates]` float32, of what was asked.
        weights: `[batch, components]` float32, the gate's.
    """

    nearest: Array
    of_nearest: Array
    of_ids: Array
    weights: Array


def asked_sizes(num_item_rows: int) -> list[int]:
    """Those of the catalogue that are compiled: fewer than for ranking, since each makes a start longer."""
    return catalogue_sizes(num_item_rows, growth=4)


def ask(gate: Gate, table: Measured, context: jax.Array, scaled: jax.Array, query: Query) -> Answer:
    """The network's side of the mixture. Runs on the device.

    Args:
        gate: the gate.
        table: the embedding table.
        context: `[rows, width]` float32, of which the first `batch` are asked for.
        scaled: `[rows, dim]` float32, interests times the network's scale.
        query: what is asked.
    """
    batch, num_items = len(query.ids), query.is_seen.shape[0]
    sharpened = scaled[:batch] * jnp.exp(gate.temperature[...])
    lengths = jnp.maximum(table.lengths[:num_items], 1e-12)
    logits = (sharpened @ table.vectors[:num_items].T) / lengths[None, :]
    logits = jnp.where(query.is_seen[None, :], logits, -jnp.inf)
    total = jnp.maximum(jax.nn.logsumexp(logits, axis=-1, keepdims=True), -1e9)  # before any item was seen
    best, nearest = top_k(logits, min(NEAREST, num_items))
    of_ids = jnp.exp(jnp.take_along_axis(logits, query.ids, axis=1) - total)
    weights = jnp.exp(gate(context[:batch], query.confidence, query.has_say))
    return Answer(nearest, jnp.exp(best - total), of_ids, weights)


class Pool(NamedTuple):
    """Candidates of one window, each once.

    Attributes:
        slots: `[candidates]` int32.
        scores: `[candidates]` float32.
        network: `[candidates]` float32, the network's probability alone.
        popularity: `[candidates]` float32.
    """

    slots: np.ndarray
    scores: np.ndarray
    network: np.ndarray
    popularity: np.ndarray

    def take(self, index: np.ndarray | slice | list[int]) -> "Pool":
        """The candidates at `index`."""
        return Pool(*(column[index] for column in self))


class Votes(NamedTuple):
    """What is said of one window's candidates, which may be put forward several times.

    Attributes:
        ids: `[n]` int32 item slots, 0 for none.
        network: `[n]` float32, the network's probability, equal for equal ids.
        popularity: `[n]` float32, equal for equal ids.
        by_memory: `[n]` float32, weighted already; all of an id's are added up.
        weights: of the network and of popularity.
    """

    ids: np.ndarray
    network: np.ndarray
    popularity: np.ndarray
    by_memory: np.ndarray
    weights: tuple[float, float]


def pool(votes: Votes, left_out: np.ndarray) -> Pool:
    """Join candidates that were put forward several times, without the slots in `left_out`."""
    slots, first, inverse = np.unique(votes.ids, return_index=True, return_inverse=True)
    network, popularity = votes.network[first], votes.popularity[first]
    of_network, of_popularity = votes.weights
    scores = of_network * network + of_popularity * popularity + np.bincount(inverse, votes.by_memory, len(slots))
    joined = Pool(slots, scores.astype(np.float32), network, popularity)
    return joined.take((slots > 0) & (scores > 0) & ~np.isin(slots, left_out))


def best(candidates: Pool, count: int) -> Pool:
    """The `count` of highest score, best first; the lower slot of equals first."""
    order = np.lexsort((candidates.slots, -candidates.scores))[:count]
    return candidates.take(order)


def diversify(candidates: Pool, vectors: np.ndarray, policy: RecommendPolicy) -> Pool:
    """Choose one after the other by maximal marginal relevance (Carbonell and Goldstein 1998).

    Args:
        candidates: best first.
        vectors: `[candidates, dim]` float32 of length 1.
        policy: how many, and what being unlike the chosen counts against the score.
    """
    if not len(candidates.slots):
        return candidates
    worth = (1 - policy.diversity) * candidates.scores / candidates.scores.max()
    likeness = np.full(len(worth), -1.0, np.float32)
    is_left = np.ones(len(worth), bool)
    chosen: list[int] = []
    while len(chosen) < min(policy.count, len(worth)):
        at = int(np.argmax(np.where(is_left, worth - policy.diversity * likeness, -np.inf)))
        chosen.append(at)
        is_left[at] = False
        likeness = np.maximum(likeness, vectors @ vectors[at])
    return candidates.take(chosen)
