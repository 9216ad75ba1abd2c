"""The gate: how much to trust the network and each part of the memory, given the window, and how it learns that."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from models.counting.memory import Components
from models.inputs.batches import Candidates
from models.inputs.layout import Array
from models.network.heads import unit
from models.network.objective import log_sum_of_others, mixture_nll, weighted_mean
from models.network.optimiser import AdamLearner, AdamState
from models.network.structure import Structure

HIDDEN = 64
RATE = 3e-3  # of Adam; .001 costs .14 points of MRR in the first two DIGINETICA periods, .01 brings nothing
AVERAGED_STEPS = 100  # one a batch


class GateBatch(NamedTuple):
    """Examples on which the gate learns.

    Attributes:
        targets: `[batch]` int32 item slots.
        weights: `[batch]` float32.
        probabilities: `[batch, components]` float32, see `CountingMemory.probabilities`.
        confidence: `[batch, components]` float32.
        has_say: `[batch, components]` bool.
        samples: items for the network's normaliser.
    """

    targets: Array
    weights: Array
    probabilities: Array
    confidence: Array
    has_say: Array
    samples: Candidates


def prior_logits(components: Components) -> np.ndarray:
    """Where the gate starts: network and nearest successors first, predecessors and old repeats last."""
    logits = np.full(components.count, -3.0, np.float32)
    logits[0] = 0.0
    logits[components.successors] = np.log(0.6) * np.arange(components.num_lags)
    logits[components.predecessors] = logits[components.successors] - 2.0
    logits[components.repeats] = np.log(0.15) + np.log(0.7) * np.arange(components.window)
    return logits


class Gate(nnx.Module):
    """A small perceptron over the context and the memory's confidences; its output starts at the prior.

    Attributes:
        components: what it weighs.
        temperature: log of the factor by which the network's logits are sharpened inside the mixture.
    """

    def __init__(self, width: int, components: Components, rngs: nnx.Rngs) -> None:
        count = components.count
        self.components = components
        self.inner = nnx.Linear(width + count, HIDDEN, rngs=rngs)
        self.outer = nnx.Linear(HIDDEN, count, use_bias=False, kernel_init=nnx.initializers.zeros, rngs=rngs)
        self.prior = nnx.Param(jnp.asarray(prior_logits(components)))
        self.trust = nnx.Param(jnp.zeros(count, jnp.float32))
        self.temperature = nnx.Param(jnp.float32(0.0))

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


class GateLearner(AdamLearner[Gate]):
    """One step of the gate on the mixture's log-likelihood; the network is frozen and read as when serving."""

    def __init__(self, gate: Structure[Gate]) -> None:
        super().__init__(gate, RATE, AVERAGED_STEPS)

    def learn(
        self, state: AdamState, vectors: jax.Array, context: jax.Array, scaled: jax.Array, batch: GateBatch
    ) -> tuple[AdamState, jax.Array]:
        """One step.

        Args:
            state: before the step.
            vectors: `[rows, dim]` float32, the embedding table.
            context: `[batch, width]` float32.
            scaled: `[batch, dim]` float32, interests times the network's scale.
            batch: the examples.

        Returns:
            The state after it, unchanged if the loss is not finite, and the loss.
        """
        own = jnp.sum(scaled * unit(vectors[batch.targets]), axis=-1)
        others = scaled @ unit(vectors[batch.samples.slots]).T
        is_same = batch.targets[:, None] == batch.samples.slots[None, :]

        def loss_of(gate: Gate) -> jax.Array:
            sharpness = jnp.exp(gate.temperature[...])
            all_others = log_sum_of_others(others * sharpness, batch.samples.log_q, is_same)
            total = jnp.logaddexp(own * sharpness, all_others)
            log_weights = gate(context, batch.confidence, batch.has_say)
            return weighted_mean(mixture_nll(log_weights, own * sharpness - total, batch.probabilities), batch.weights)

        return self.step(state, loss_of)
