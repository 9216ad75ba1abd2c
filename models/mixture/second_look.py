"""A second look at the mixture's best items: their probability is shared out among them anew, by more than a sum."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

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
PLACES = 5  # newest of the window that are told apart


class Listed(NamedTuple):
    """The best items of each mixture, in any order.

    Attributes:
        slots: `[batch, items]` int32, 0 for none.
        mixture: `[batch, items]` float32, the probability by all components.
        network: `[batch, items]` float32, the probability by the network alone.
        popularity: `[batch, items]` float32, the share of recent events.
        recent: `[batch, window]` int32, the items of the window, newest first.
    """

    slots: Array
    mixture: Array
    network: Array
    popularity: Array
    recent: Array


class Shortlist(NamedTuple):
    """What is looked at.

    Attributes:
        listed: the best items.
        likeness: `[batch, items]` float32, the cosine of each item's vector and that of the newest of the window.
    """

    listed: Listed
    likeness: Array


def compared(vectors: jax.Array, listed: Listed) -> Shortlist:
    """With how like they are to what was seen last; `vectors` `[rows, dim]` float32, the embedding table."""
    newest = unit(vectors[jnp.asarray(listed.recent)[:, 0]])
    return Shortlist(listed, jnp.einsum("bid,bd->bi", unit(vectors[jnp.asarray(listed.slots)]), newest))


class SecondLook(nnx.Module):
    """A small perceptron over each item of a shortlist; it starts as if it were not there.

    A sum is at least as sure as its surest part. What the parts agree on, what is popular though the network says no,
    what the user has just seen, and what is like it deserve more or less than that.
    """

    def __init__(self, window: int, rngs: nnx.Rngs) -> None:
        width = 5 + min(PLACES, window)
        zeros = nnx.initializers.zeros
        self.hidden = nnx.Linear(width, HIDDEN, rngs=rngs)
        self.outer = nnx.Linear(HIDDEN, 1, use_bias=False, kernel_init=zeros, rngs=rngs)
        self.direct = nnx.Linear(width, 1, use_bias=False, kernel_init=zeros, rngs=rngs)

    def __call__(self, shortlist: Shortlist) -> jax.Array:
        """Log of each item's share of the shortlist's probability: `[batch, items]` float32, about -1e9 for none."""
        features = _features(shortlist)
        change = self.direct(features) + self.outer(nnx.gelu(self.hidden(features)))
        slots, mixture = jnp.asarray(shortlist.listed.slots), jnp.asarray(shortlist.listed.mixture)
        return nnx.log_softmax(jnp.where(slots > 0, jnp.log(mixture + 1e-9) + change[..., 0], -1e9))


def _features(shortlist: Shortlist) -> jax.Array:
    """`[batch, items, features]` float32: probabilities, likeness, and where the item stands in the window."""
    slots, mixture, network, popularity, recent = shortlist.listed
    is_recent = jnp.asarray(slots)[:, :, None] == jnp.asarray(recent)[:, None, :]
    alone = [
        SCALE * jnp.log(mixture + 1e-4),
        SCALE / 2 * jnp.log(network + 1e-12),
        SCALE * jnp.log(popularity + 1e-6),
        jnp.asarray(shortlist.likeness),
        jnp.any(is_recent, axis=-1).astype(jnp.float32),
    ]
    return jnp.concatenate([jnp.stack(alone, axis=-1), is_recent[:, :, :PLACES].astype(jnp.float32)], axis=-1)


def look_again(look: SecondLook, shortlist: Shortlist) -> jax.Array:
    """Probabilities in place of the mixture's, with the same sum: `[batch, items]` float32, 0 for none."""
    is_item = jnp.asarray(shortlist.listed.slots) > 0
    total = jnp.sum(jnp.asarray(shortlist.listed.mixture), axis=1, keepdims=True, where=is_item)
    return jnp.where(is_item, total * jnp.exp(look(shortlist)), 0.0)


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
        is_target = (jnp.asarray(shortlist.listed.slots) == targets[:, None]) & (targets[:, None] > 0)

        def loss_of(look: SecondLook) -> jax.Array:
            told = jnp.sum(look(shortlist), axis=1, where=is_target)
            return -jnp.sum(told) / jnp.maximum(jnp.sum(is_target), 1).astype(jnp.float32)

        for _ in range(STEPS):
            state, _ = self.step(state, loss_of)
        return state
