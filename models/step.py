"""One learning step as a pure function of the model's state, and the other functions that run on the device."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from models.batches import GateBatch, Positions, StepBatch
from models.config import ModelConfig
from models.network import InterestNetwork, Params, position_vectors, unit
from models.objective import log_normaliser, mixture_nll, sampled_softmax, weighted_mean
from models.table import INITIAL_SCALE, EmbeddingTable, adam_rows, gather, scatter


class ModelState(NamedTuple):
    """All that a step changes.

    Attributes:
        params: the network's parameters.
        moments: Optax's state for them.
        table: item and token vectors.
        step: int32, steps taken.
    """

    params: Params
    moments: optax.OptState
    table: EmbeddingTable
    step: jax.Array


class StepResult(NamedTuple):
    """Losses of one step, each a float32 scalar, and whether the step was applied."""

    loss: jax.Array
    gate_loss: jax.Array
    is_applied: jax.Array


class Model:
    """The network's structure and the functions over its state; holds no parameters itself."""

    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        network = InterestNetwork(config, nnx.Rngs(config.seed))
        self.graph, self.initial_params = nnx.split(network)
        self.optimizer = optax.adam(config.learning_rate)

    def encode(self, params: Params, vectors: jax.Array, positions: Positions) -> jax.Array:
        """Interests of windows: `[batch, dim]` of unit length."""
        return self._read(nnx.merge(self.graph, params), vectors, positions)[1]

    def learn(self, state: ModelState, batch: StepBatch, gate: GateBatch | None) -> tuple[ModelState, StepResult]:
        """One step on a batch; a step whose loss or gradient is not finite changes nothing."""
        before = gather(state.table, batch.rows)
        key = jax.random.fold_in(jax.random.key(self.config.seed), state.step)

        def loss_of(params: Params, rows: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
            network = nnx.merge(self.graph, params)
            loss = self._network_loss(network, rows, batch, key)
            gate_loss = jnp.float32(0.0)
            if gate is not None:
                gate_loss = self._gate_loss(network, rows, state.table.vectors, batch, gate)
            return loss + gate_loss, (loss, gate_loss)

        gradient = jax.value_and_grad(loss_of, argnums=(0, 1), has_aux=True)
        (total, (loss, gate_loss)), (for_params, for_rows) = gradient(state.params, before.vectors)
        is_finite = jnp.isfinite(total + optax.global_norm(for_params) + optax.global_norm(for_rows))
        updates, moments = self.optimizer.update(for_params, state.moments, state.params)
        params = optax.apply_updates(state.params, updates)
        rows = adam_rows(before, for_rows, self.config.row_learning_rate)
        params, moments, rows = jax.tree.map(
            lambda new, old: jnp.where(is_finite, new, old),
            (params, moments, rows),
            (state.params, state.moments, before),
        )
        after = ModelState(params, moments, scatter(state.table, batch.rows, rows), state.step + 1)
        return after, StepResult(loss, gate_loss, is_finite)

    def start_items(
        self, table: EmbeddingTable, targets: jax.Array, windows: jax.Array, lasts: jax.Array, followers: jax.Array
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

    def _read(self, network: InterestNetwork, vectors: jax.Array, positions: Positions) -> tuple[jax.Array, jax.Array]:
        return network(self._inputs(network, vectors, positions), positions.slots != 0)

    def _inputs(self, network: InterestNetwork, vectors: jax.Array, positions: Positions) -> jax.Array:
        at_positions = position_vectors(vectors, positions.slots, positions.query_tokens)
        return network.inputs(at_positions, positions.kinds, positions.gaps, positions.values)

    def _network_loss(self, network: InterestNetwork, rows: jax.Array, batch: StepBatch, key: jax.Array) -> jax.Array:
        inputs = self._inputs(network, rows, batch.positions)
        interest = network.noisy(inputs, batch.positions.slots != 0, key) * network.scale[...]
        targets, negatives = unit(rows[batch.targets]), unit(rows[batch.negatives.slots])
        is_same = batch.targets[:, None] == batch.negatives.slots[None, :]
        own = jnp.sum(interest * targets, axis=-1)
        nll = sampled_softmax(own, interest @ negatives.T, batch.negatives.log_q, is_same)
        return weighted_mean(nll, batch.weights)

    def _gate_loss(
        self, network: InterestNetwork, rows: jax.Array, vectors: jax.Array, batch: StepBatch, gate: GateBatch
    ) -> jax.Array:
        """The network is frozen here and read as when serving: the gate only learns whom to trust."""
        chosen = Positions(
            batch.positions.slots[gate.examples],
            batch.positions.query_tokens,
            batch.positions.kinds[gate.examples],
            batch.positions.gaps[gate.examples],
            batch.positions.values[gate.examples],
        )
        context, interest = jax.lax.stop_gradient(self._read(network, rows, chosen))
        scale = jax.lax.stop_gradient(network.scale[...])
        scaled = interest * scale
        own = jnp.sum(scaled * unit(rows[batch.targets[gate.examples]]), axis=-1)
        others = scaled @ unit(vectors[gate.samples.slots]).T
        own, others = jax.lax.stop_gradient((own, others))
        sharpness = jnp.exp(network.temperature[...])
        is_same = gate.targets[:, None] == gate.samples.slots[None, :]
        total = log_normaliser(own * sharpness, others * sharpness, gate.samples.log_q, is_same)
        log_weights = network.gate(context, gate.confidence, gate.has_say)
        nll = mixture_nll(log_weights, own * sharpness - total, gate.probabilities)
        return jnp.mean(nll * batch.weights[gate.examples])


def item_vectors(vectors: jax.Array, slots: jax.Array) -> jax.Array:
    """Vectors of items at unit length: `[batch, dim]`."""
    return unit(vectors[slots])


def replace_rows(table: EmbeddingTable, rows: jax.Array, vectors: jax.Array) -> EmbeddingTable:
    """Fresh vectors and zero moments for recycled rows; rows off the table are dropped."""
    zeros = jnp.zeros_like(vectors)
    return scatter(table, rows, EmbeddingTable(vectors, zeros, zeros))


def _start(vectors: jax.Array, items: jax.Array, windows: jax.Array) -> jax.Array:
    """Half at the mean direction of the window, half at the random vector that they have."""
    around = jnp.sum(unit(vectors[windows]) * (windows > 0)[..., None], axis=1)
    near = unit(around) * INITIAL_SCALE * jnp.sqrt(jnp.float32(vectors.shape[1]))
    own = vectors.at[items].get(mode="fill", fill_value=0.0)
    return vectors.at[items].set(0.5 * near + 0.5 * own, mode="drop")
