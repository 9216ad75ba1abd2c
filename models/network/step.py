"""One learning step of the network as a pure function of its state, and what else moves the table's rows."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from models.config import ModelConfig
from models.inputs.batches import StepBatch
from models.inputs.layout import Array
from models.network import optimiser
from models.network.heads import unit
from models.network.network import InterestNetwork
from models.network.objective import Comparison, loss_of, weighted_mean
from models.network.structure import Params, Structure
from models.network.table import INITIAL_SCALE, EmbeddingTable, gather, scatter

AVERAGED_STEPS = 100  # 20 batches of new examples with their replay
NEARNESS = 0.4  # 1 and its own vector half as long cost .005 of recall: new items crowd where the window is


class NetworkState(NamedTuple):
    """All that a step changes.

    Attributes:
        params: the network's parameters.
        average: of the parameters after each of the latest steps, to read windows by.
        moments: what the optimiser keeps for them.
        table: item and token vectors.
        step: int32, steps taken.
    """

    params: Params
    average: Params
    moments: Any
    table: EmbeddingTable
    step: jax.Array


class NetworkLearner:
    """One step on a batch of examples."""

    def __init__(self, network: Structure[InterestNetwork], config: ModelConfig) -> None:
        self._network = network
        self._config = config
        self._optimiser = optimiser.optimiser(config)

    def begin(self, network: InterestNetwork, vectors: jax.Array) -> NetworkState:
        """The state of a network before any step, with these vectors of items and tokens."""
        params = self._network.params_of(network)
        table = EmbeddingTable(vectors, self._optimiser.begin_rows(vectors))
        average = jax.tree.map(jnp.copy, params)
        return NetworkState(params, average, self._optimiser.begin(params), table, jnp.int32(0))

    def learn(self, state: NetworkState, batch: StepBatch, rate_scale: Array) -> tuple[NetworkState, jax.Array]:
        """One step at `rate_scale` times the learning rates.

        Returns:
            The state after it, unchanged but for the count if the loss is not finite, and the loss.
        """
        before = gather(state.table, batch.rows)
        key = jax.random.fold_in(jax.random.key(self._config.seed), state.step)
        gradient = jax.value_and_grad(self._loss, argnums=(0, 1))
        loss, (for_params, for_rows) = gradient(state.params, before.vectors, batch, key)
        factor = optimiser.rate_factor(self._config, state.step) * rate_scale
        rate, row_rate = self._config.learning_rate * factor, self._config.row_learning_rate * factor
        params, moments = self._optimiser.step(state.params, for_params, state.moments, rate)
        rows = self._optimiser.step_rows(before, for_rows, row_rate)
        is_finite = optimiser.is_finite(loss, for_params, for_rows)
        average = optimiser.averaged(state.average, params, state.step, AVERAGED_STEPS)
        params, average, moments, rows = optimiser.apply_if(
            is_finite, (params, average, moments, rows), (state.params, state.average, state.moments, before)
        )
        loss = jnp.where(is_finite, loss, jnp.nan)
        return NetworkState(params, average, moments, scatter(state.table, batch.rows, rows), state.step + 1), loss

    def _loss(self, params: Params, rows: jax.Array, batch: StepBatch, key: jax.Array) -> jax.Array:
        network = self._network.build(params)
        interests, costs = network.noisy(rows, batch.positions, key)
        positives = jnp.concatenate([batch.targets[:, None], batch.soft_targets], axis=1)
        losses = loss_of(
            self._config.loss,
            Comparison(
                interests,
                network.scale[...],
                unit(rows[positives]),
                unit(rows[batch.negatives.slots]),
                batch.negatives.log_q,
                batch.targets[:, None] == batch.negatives.slots[None, :],
            ),
        )
        return weighted_mean(self._shared(losses, positives[:, 1:] > 0) + costs, batch.weights)

    def _shared(self, losses: jax.Array, is_soft: jax.Array) -> jax.Array:
        """The target's loss, and for a share of it the mean over the soft targets where there are any: `[batch]`."""
        num_soft = jnp.sum(is_soft, axis=1)
        mean = jnp.sum(losses[:, 1:], axis=1, where=is_soft) / jnp.maximum(num_soft, 1).astype(jnp.float32)
        share = jnp.where(num_soft > 0, self._config.soft_target_weight, 0.0)
        return (1 - share) * losses[:, 0] + share * mean


def start_items(
    table: EmbeddingTable, targets: Array, windows: Array, lasts: Array, followers: Array
) -> EmbeddingTable:
    """New items start where they were first seen.

    Args:
        table: the table.
        targets: `[batch]` int32, items first seen after `windows`; off the table where there is none.
        windows: `[batch, time]` int32 item slots, 0 = empty.
        lasts: `[batch]` int32, items first seen at the start of a window, before `followers`.
        followers: `[batch]` int32 item slots.
    """
    vectors = _start(table.vectors, targets, windows)
    return table._replace(vectors=_start(vectors, lasts, followers[:, None]))


def item_vectors(vectors: jax.Array, slots: Array) -> jax.Array:
    """Vectors of items at unit length: `[batch, dim]`."""
    return unit(vectors[slots])


def _start(vectors: jax.Array, items: Array, windows: Array) -> jax.Array:
    """At the random vector that they have, moved by `NEARNESS` of its length in the mean direction of the window."""
    around = jnp.sum(unit(vectors[windows]), axis=1)  # row 0, where a window is empty, is zero
    near = unit(around) * INITIAL_SCALE * jnp.sqrt(jnp.float32(vectors.shape[1]))
    own = vectors.at[items].get(mode="fill", fill_value=0.0)
    return vectors.at[items].set(NEARNESS * near + own, mode="drop")
