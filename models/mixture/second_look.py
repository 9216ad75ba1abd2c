"""A second look at the mixture's best items: their probability is shared out among them anew, by more than a sum."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from models.counting.memory import Components
from models.inputs.layout import Array
from models.network.heads import unit
from models.network.optimiser import AdamLearner, AdamState
from models.network.structure import Structure

LOOKED_AT = 64
HIDDEN = 64
RATE = 2e-3
AVERAGED_STEPS = 66  # of the last 33 samples
STEPS = 2  # on each sample that is ranked; four know the few by heart
SCALE = 0.3  # of logarithms


class Listed(NamedTuple):
    """The best items of each mixture, in any order.

    Attributes:
        slots: `[batch, items]` int32, 0 for none.
        mixture: `[batch, items]` float32, the probability by all components.
        network: `[batch, items]` float32, the probability by the network alone.
        popularity: `[batch, items]` float32, the share of recent events.
        num_seen: `[batch, items]` float32, how often each was the next one so far.
        ids: `[batch, candidates]` int32, see `Recollection`.
        shares: `[batch, candidates]` float32, the same.
    """

    slots: Array
    mixture: Array
    network: Array
    popularity: Array
    num_seen: Array
    ids: Array
    shares: Array


class Shortlist(NamedTuple):
    """What is looked at.

    Attributes:
        slots: `[batch, items]` int32, 0 for none.
        mixture: `[batch, items]` float32, the probability by all components.
        features: `[batch, items, features]` float32, what else tells them apart.
    """

    slots: Array
    mixture: Array
    features: Array


def num_features(components: Components) -> int:
    """Features of an item."""
    return 5 + 4 * components.num_lags


def described(vectors: jax.Array, listed: Listed, components: Components) -> Shortlist:
    """The best items with what tells them apart; `vectors` `[rows, dim]` float32 is the embedding table."""
    slots, mixture, network, popularity, num_seen, ids, shares = map(jnp.asarray, listed)
    window = components.window
    recent = ids[:, -window:]
    is_recent = slots[:, :, None] == recent[:, None, :]
    newest = recent[:, : components.num_lags]
    likeness = jnp.einsum("bid,bjd->bij", unit(vectors[slots]), unit(vectors[newest]))
    alone = [
        SCALE * jnp.log(mixture + 1e-4),
        SCALE / 2 * jnp.log(network + 1e-12),
        SCALE * jnp.log(popularity + 1e-6),
        SCALE * jnp.log1p(num_seen),
        jnp.any(is_recent, axis=-1).astype(jnp.float32),
    ]
    by_lag = _by_lag(slots, ids[:, :-window], shares[:, :-window], components.num_lags)
    together = [
        is_recent[:, :, : components.num_lags].astype(jnp.float32),
        jnp.where(newest[:, None, :] > 0, likeness, 0.0),
        SCALE / 2 * jnp.log(by_lag + 1e-5) + 1.0,
    ]
    return Shortlist(slots, mixture, jnp.concatenate([jnp.stack(alone, axis=-1), *together], axis=-1))


def _by_lag(slots: jax.Array, ids: jax.Array, shares: jax.Array, num_lags: int) -> jax.Array:
    """What each of the newest items says follows and precedes it: `[batch, items, 2 num_lags]` float32."""
    neighbours = ids.reshape(len(ids), 1, 2 * num_lags, -1)
    of_same = jnp.where(neighbours == slots[:, :, None, None], shares.reshape(neighbours.shape), 0.0)
    return jnp.sum(of_same, axis=-1)


class SecondLook(nnx.Module):
    """A small perceptron over each item of a shortlist and the mean of all; it starts as if it were not there.

    A sum is at least as sure as its surest part. What the parts agree on, what is popular though the network says no,
    what the user has just seen, and what is like it deserve more or less than that, and the more so the likelier they
    are beside the others of their list.

    Attributes:
        components: of the mixture.
    """

    def __init__(self, components: Components, rngs: nnx.Rngs) -> None:
        width = num_features(components)
        zeros = nnx.initializers.zeros
        self.components = components
        self.hidden = nnx.Linear(width, HIDDEN, rngs=rngs)
        self.of_list = nnx.Linear(HIDDEN, HIDDEN, use_bias=False, rngs=rngs)
        self.outer = nnx.Linear(HIDDEN, 1, use_bias=False, kernel_init=zeros, rngs=rngs)
        self.direct = nnx.Linear(width, 1, use_bias=False, kernel_init=zeros, rngs=rngs)

    def __call__(self, shortlist: Shortlist) -> jax.Array:
        """Log of each item's share of the shortlist's probability: `[batch, items]` float32, about -1e9 for none."""
        slots, mixture, features = map(jnp.asarray, shortlist)
        inner = self.hidden(features)
        weights = mixture / (jnp.sum(mixture, axis=1, keepdims=True) + 1e-9)
        mean = jnp.einsum("bi,bih->bh", weights, nnx.gelu(inner))
        change = self.direct(features) + self.outer(nnx.gelu(inner + self.of_list(mean)[:, None, :]))
        return nnx.log_softmax(jnp.where(slots > 0, jnp.log(mixture + 1e-9) + change[..., 0], -1e9))


class Looked(NamedTuple):
    """What a second look makes of a shortlist.

    Attributes:
        probabilities: `[batch, items]` float32 in place of the mixture's, with the same sum; 0 for none.
        of_others: `[batch]` float32 in [0, 1], by which all others are multiplied so that none stands above these.
    """

    probabilities: Array
    of_others: Array


def look_again(look: SecondLook, shortlist: Shortlist) -> Looked:
    """Share out anew what the items of a shortlist have."""
    mixture, is_item = jnp.asarray(shortlist.mixture), jnp.asarray(shortlist.slots) > 0
    total = jnp.sum(mixture, axis=1, keepdims=True, where=is_item)
    looked = jnp.where(is_item, total * jnp.exp(look(shortlist)), 0.0)
    least, least_before = (jnp.min(each, axis=1, where=is_item, initial=1.0) for each in (looked, mixture))
    return Looked(looked, jnp.minimum(least / jnp.maximum(least_before, 1e-30), 1.0))


class SecondLookLearner(AdamLearner[SecondLook]):
    """Learns from predictions that were ranked; the mixture stands still."""

    def __init__(self, look: Structure[SecondLook]) -> None:
        super().__init__(look, RATE, AVERAGED_STEPS)

    def learn(self, state: AdamState, shortlist: Shortlist, targets: Array) -> AdamState:
        """`STEPS` steps on the log-likelihood of targets; those that are not listed, or 0, tell nothing.

        Args:
            state: before the steps.
            shortlist: what was looked at.
            targets: `[batch]` int32 item slots.
        """
        is_target = (jnp.asarray(shortlist.slots) == targets[:, None]) & (targets[:, None] > 0)

        def loss_of(look: SecondLook) -> jax.Array:
            told = jnp.sum(look(shortlist), axis=1, where=is_target)
            return -jnp.sum(told) / jnp.maximum(jnp.sum(is_target), 1).astype(jnp.float32)

        for _ in range(STEPS):
            state, _ = self.step(state, loss_of)
        return state
