"""What is minimised: sampled softmax for the network, the mixture's log-likelihood for the gate. Pure functions."""

import jax
import jax.numpy as jnp

from models.batches import Array


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
