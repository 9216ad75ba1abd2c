"""The gate: how much to trust the network and each part of the memory, given the window."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from models.batches import Array
from models.memory import NUM_LAGS, Components

HIDDEN = 64


def prior_logits(components: Components) -> np.ndarray:
    """Where the gate starts: network and nearest successors first, predecessors and old repeats last."""
    logits = np.full(components.count, -3.0, np.float32)
    logits[0] = 0.0
    logits[components.successors] = np.log(0.6) * np.arange(NUM_LAGS)
    logits[components.predecessors] = logits[components.successors] - 2.0
    logits[components.repeats] = np.log(0.15) + np.log(0.7) * np.arange(components.window)
    return logits


class Gate(nnx.Module):
    """A small perceptron over the context and the memory's confidences; its output starts at the prior."""

    def __init__(self, width: int, components: Components, rngs: nnx.Rngs) -> None:
        count = components.count
        self.inner = nnx.Linear(width + count, HIDDEN, rngs=rngs)
        self.outer = nnx.Linear(HIDDEN, count, use_bias=False, kernel_init=nnx.initializers.zeros, rngs=rngs)
        self.prior = nnx.Param(jnp.asarray(prior_logits(components)))
        self.trust = nnx.Param(jnp.zeros(count, jnp.float32))

    def __call__(self, context: jax.Array, confidence: Array, has_say: Array) -> jax.Array:
        """Log weights of the components.

        Args:
            context: `[batch, width]` float32, from the encoder.
            confidence: `[batch, components]` float32.
            has_say: `[batch, components]` bool; the others get no weight.

        Returns:
            `[batch, components]` float32, each row the log of a distribution.
        """
        hidden = nnx.gelu(self.inner(jnp.concatenate([context, confidence], axis=-1)))
        logits = self.outer(hidden) + self.prior[...][None, :] + self.trust[...][None, :] * confidence
        return nnx.log_softmax(jnp.where(has_say, logits, -1e9))
