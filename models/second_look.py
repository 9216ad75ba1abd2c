"""A second look at the mixture's best items: their probability is shared out among them anew, by more than a sum."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from models.layout import Array
from models.optimiser import AdamLearner, AdamState
from models.structure import Structure

LOOKED_AT = 64
HIDDEN = 32
RATE = 3e-3
STEPS = 4  # on each sample that is ranked; samples are rare, and a step costs a fraction of the ranking
SCALE = 0.3  # of logarithms


class Shortlist(NamedTuple):
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


class SecondLook(nnx.Module):
    """A small perceptron over each item of a shortlist; it starts as if it were not there.

    A sum is at least as sure as its surest part. What the parts agree on, what is popular though the network says no,
    and what the user has just seen deserves more or less than that.
    """

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.inner = nnx.Linear(5, HIDDEN, rngs=rngs)
        self.outer = nnx.Linear(HIDDEN, 1, use_bias=False, kernel_init=nnx.initializers.zeros, rngs=rngs)
        self.direct = nnx.Linear(5, 1, use_bias=False, kernel_init=nnx.initializers.zeros, rngs=rngs)

    def __call__(self, shortlist: Shortlist) -> jax.Array:
        """Log of each item's share of the shortlist's probability: `[batch, items]` float32, about -1e9 for none."""
        slots, mixture = jnp.asarray(shortlist.slots), jnp.asarray(shortlist.mixture)
        is_recent = slots[:, :, None] == jnp.asarray(shortlist.recent)[:, None, :]
        features = jnp.stack(
            [
                SCALE * jnp.log(mixture + 1e-4),
                SCALE / 2 * jnp.log(shortlist.network + 1e-12),
                SCALE * jnp.log(shortlist.popularity + 1e-6),
                jnp.any(is_recent, axis=-1).astype(jnp.float32),
                is_recent[:, :, 0].astype(jnp.float32),
            ],
            axis=-1,
        )
        change = self.direct(features) + self.outer(nnx.gelu(self.inner(features)))
        return nnx.log_softmax(jnp.where(slots > 0, jnp.log(mixture + 1e-9) + change[..., 0], -1e9))


def look_again(look: SecondLook, shortlist: Shortlist) -> jax.Array:
    """Probabilities in place of the mixture's, with the same sum: `[batch, items]` float32, 0 for none."""
    is_item = jnp.asarray(shortlist.slots) > 0
    total = jnp.sum(jnp.asarray(shortlist.mixture), axis=1, keepdims=True, where=is_item)
    return jnp.where(is_item, total * jnp.exp(look(shortlist)), 0.0)


class SecondLookLearner(AdamLearner[SecondLook]):
    """Learns from predictions that were ranked; the mixture stands still."""

    def __init__(self, look: Structure[SecondLook]) -> None:
        super().__init__(look, RATE)

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
