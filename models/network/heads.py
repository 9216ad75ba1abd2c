"""From a context to the interest: a point, or a mean and a variance around it."""

from typing import Protocol

import jax
import jax.numpy as jnp
from flax import nnx

from models.config import ModelConfig

INITIAL_LOG_VARIANCE = -3.0


def unit(vectors: jax.Array) -> jax.Array:
    """Vectors at length 1 along the last axis; zeros stay zeros."""
    return vectors * jax.lax.rsqrt(jnp.sum(vectors * vectors, axis=-1, keepdims=True) + 1e-8)


class Head(Protocol):
    """Makes interests of contexts."""

    def __call__(self, context: jax.Array, carried: jax.Array) -> tuple[jax.Array, jax.Array]:
        """As when serving; no randomness.

        Args:
            context: `[batch, width]` float32.
            carried: `[batch, dim]` float32, what of the window goes straight into the interest.

        Returns:
            Interests `[batch, dim]` of length 1, and how uncertain each is: `[batch]` float32 in [0, 1].
        """
        ...

    def sample(self, context: jax.Array, carried: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """As when learning: interests `[batch, dim]` of length 1, and `[batch]` float32 to be added to the loss."""
        ...


class PointHead(nnx.Module):
    """A linear map; it knows no uncertainty."""

    def __init__(self, width: int, dim: int, rngs: nnx.Rngs) -> None:
        self.mean = nnx.Linear(width, dim, use_bias=False, rngs=rngs)

    def __call__(self, context: jax.Array, carried: jax.Array) -> tuple[jax.Array, jax.Array]:
        """See `Head`; never uncertain."""
        return unit(self.mean(context) + carried), jnp.zeros_like(context[:, 0])

    def sample(self, context: jax.Array, carried: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """See `Head`; nothing is drawn."""
        return self(context, carried)


class VariationalHead(nnx.Module):
    """A normal distribution of interests before they are brought to length 1 (Kingma and Welling 2014).

    Learning draws from it and pays for what the context says beyond a standard normal prior; serving takes the mean.
    """

    def __init__(self, width: int, dim: int, weight: float, rngs: nnx.Rngs) -> None:
        zeros, start = nnx.initializers.zeros, nnx.initializers.constant(INITIAL_LOG_VARIANCE)
        self.weight = weight
        self.mean = nnx.Linear(width, dim, use_bias=False, rngs=rngs)
        self.log_variance = nnx.Linear(width, dim, kernel_init=zeros, bias_init=start, rngs=rngs)

    def __call__(self, context: jax.Array, carried: jax.Array) -> tuple[jax.Array, jax.Array]:
        """See `Head`; uncertainty is the variance's share of the expected squared length."""
        mean, variance = self.mean(context) + carried, jnp.exp(self.log_variance(context))
        spread = jnp.sum(variance, axis=-1)
        return unit(mean), spread / (spread + jnp.sum(mean * mean, axis=-1))

    def sample(self, context: jax.Array, carried: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """See `Head`; what is added is the divergence from the prior."""
        mean, log_variance = self.mean(context) + carried, self.log_variance(context)
        noise = jax.random.normal(key, mean.shape)
        divergence = 0.5 * jnp.sum(mean * mean + jnp.exp(log_variance) - 1 - log_variance, axis=-1)
        return unit(mean + jnp.exp(0.5 * log_variance) * noise), self.weight * divergence


def build_head(config: ModelConfig, width: int, rngs: nnx.Rngs) -> Head:
    """The head that the settings name."""
    match config.head:
        case "point":
            return PointHead(width, config.dim, rngs)
        case "variational":
            return VariationalHead(width, config.dim, config.variational_weight, rngs)
