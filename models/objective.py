"""What is minimised: sampled softmax for the network, the mixture's log-likelihood for the gate. Pure functions."""

import jax
import jax.numpy as jnp

from models.batches import Array


def sampled_softmax(own: jax.Array, others: jax.Array, log_q: Array, is_same: Array) -> jax.Array:
    """Negative log-likelihood of targets among sampled items, corrected for how likely each was sampled.

    Args:
        own: `[batch]` float32 logits of the targets.
        others: `[batch, samples]` float32 logits of the sampled items.
        log_q: `[samples]` float32, log of each item's expected occurrences in the sample.
        is_same: `[batch, samples]` bool, where the sampled item is the target itself.

    Returns:
        `[batch]` float32.
    """
    return log_normaliser(own, others, log_q, is_same) - own


def log_normaliser(own: jax.Array, others: jax.Array, log_q: Array, is_same: Array) -> jax.Array:
    """Log of an estimate of the softmax's sum over all items: the target exactly, the others by importance sampling.

    Its cost does not grow with the catalogue. Arguments as for `sampled_softmax`.
    """
    corrected = jnp.where(is_same, -1e9, others - log_q[None, :])
    return jnp.logaddexp(own, jax.nn.logsumexp(corrected, axis=-1))


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
