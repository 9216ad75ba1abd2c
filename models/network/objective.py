"""What is minimised: one of four losses for the network, the mixture's log-likelihood for the gate. Pure functions."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from models.config import LossName
from models.inputs.layout import Array

NOT_COUNTED = 1e8  # a log q beyond this marks a sample that must not count


class Comparison(NamedTuple):
    """Interests beside what followed and what did not; all vectors of length 1.

    Attributes:
        interests: `[batch, dim]` float32.
        scale: scalar, from cosine to logit.
        positives: `[batch, positives, dim]` float32, the target's vector first.
        negatives: `[samples, dim]` float32.
        log_q: `[samples]` float32, see `log_sum_of_others`; huge for a sample that must not count.
        is_same: `[batch, samples]` bool, where the sampled item is the target itself.
    """

    interests: jax.Array
    scale: jax.Array
    positives: jax.Array
    negatives: jax.Array
    log_q: Array
    is_same: Array


def loss_of(name: LossName, compared: Comparison) -> jax.Array:
    """The loss of each positive: `[batch, positives]` float32."""
    match name:
        case "sampled_softmax" | "full_softmax":  # full: every item is in the sample, once
            return softmax_loss(compared)
        case "binary_cross_entropy":
            return binary_cross_entropy(compared)
        case "squared_error":
            return squared_error(compared)


def softmax_loss(compared: Comparison) -> jax.Array:
    """Negative log-likelihood of each positive among the items that the negatives stand for."""
    scaled = compared.interests * compared.scale
    others = log_sum_of_others(products(scaled, compared.negatives), compared.log_q, compared.is_same)
    own = jnp.einsum("bd,bpd->bp", scaled, compared.positives)
    return jnp.logaddexp(own, others[:, None]) - own


@jax.custom_vjp
def products(left: jax.Array, right: jax.Array) -> jax.Array:
    """All dot products of `[n, dim]` with `[m, dim]`: `[n, m]`.

    XLA multiplies a transposed matrix four times as slowly on a CPU: so backwards it is told to transpose it first.
    """
    return left @ right.T


def _forward(left: jax.Array, right: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return left @ right.T, (left, right)


def _backward(pair: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    left, right = pair
    transposed: jax.Array = jax.lax.optimization_barrier(gradient.T)  # type: ignore[no-untyped-call]
    return gradient @ right, transposed @ left


products.defvjp(_forward, _backward)


def binary_cross_entropy(compared: Comparison) -> jax.Array:
    """Each positive is told apart from all negatives, which together weigh as much as it does."""
    scaled = compared.interests * compared.scale
    counts = ~compared.is_same & jnp.asarray(compared.log_q < NOT_COUNTED)[None, :]
    against = jnp.sum(jax.nn.softplus(products(scaled, compared.negatives)), axis=1, where=counts)
    against /= jnp.maximum(jnp.sum(counts, axis=1), 1).astype(jnp.float32)
    own = jnp.einsum("bd,bpd->bp", scaled, compared.positives)
    return jax.nn.softplus(-own) + against[:, None]


def squared_error(compared: Comparison) -> jax.Array:
    """Squared distance from the interest to each positive, which stands still: else all vectors would become one."""
    positives = jax.lax.stop_gradient(compared.positives)
    return jnp.sum((compared.interests[:, None, :] - positives) ** 2, axis=-1)


def log_sum_of_others(logits: jax.Array, log_q: Array, is_same: Array) -> jax.Array:
    """Log of the softmax's sum over all items but the target, by importance sampling.

    Its cost does not grow with the catalogue. `logaddexp(own, others) - own` is then the negative log-likelihood of a
    target with the logit `own`: sampled softmax with logQ correction.

    Args:
        logits: `[batch, samples]` float32, of the sampled items.
        log_q: `[samples]` float32, log of each item's expected occurrences in the sample.
        is_same: `[batch, samples]` bool, where the sampled item is the target itself.

    Returns:
        `[batch]` float32.
    """
    return jax.nn.logsumexp(jnp.where(is_same, -1e9, logits - log_q[None, :]), axis=-1)


def mixture_nll(log_weights: jax.Array, log_network: jax.Array, probabilities: Array) -> jax.Array:
    """Negative log-likelihood of targets under the gated mixture.

    Args:
        log_weights: `[batch, components]` float32, log of the gate; component 0 is the network.
        log_network: `[batch]` float32, the network's log-probability of each target.
        probabilities: `[batch, components]` float32, what the others give to the target; 0 for the network.

    Returns:
        `[batch]` float32.
    """
    by_network = jnp.exp(log_weights[:, 0] + log_network)
    by_memory = jnp.sum(jnp.exp(log_weights) * probabilities, axis=-1)
    return -jnp.log(by_network + by_memory + 1e-9)


def weighted_mean(values: jax.Array, weights: Array) -> jax.Array:
    """The mean of `[batch]` values; 0 where all weights are 0."""
    return jnp.sum(values * weights) / jnp.maximum(jnp.sum(weights), 1.0)
