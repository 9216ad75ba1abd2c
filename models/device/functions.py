"""The functions of a model that XLA compiles: what is done to its state, and what is read of it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import jax
from flax import nnx

from models.config import ModelConfig
from models.counting.memory import Components
from models.device import runtime
from models.device.executables import Executables
from models.device.sharding import Placement
from models.inputs.batches import Positions, StepBatch
from models.inputs.layout import Array
from models.mixture.gate import Gate, GateLearner
from models.mixture.ranking import Judges, logits_of, rank, top
from models.mixture.recommend import Answer, Query, ask
from models.mixture.second_look import Listed, Looked, SecondLook, SecondLookLearner, Shortlist, described, look_again
from models.network.network import InterestNetwork
from models.network.optimiser import AdamState
from models.network.step import NetworkLearner, NetworkState, item_vectors, start_items
from models.network.structure import Params, Structure
from models.network.table import Measured, gather, lengths, replace_rows


class Functions:
    """Pure functions of arrays. Each is compiled when it is first called with arrays of some shapes.

    Those that return a state use up the one that they are given.

    Args:
        config: the model's settings.
        components: of the memory.
        placement: where arrays lie.

    Attributes:
        compilations: so far.
        read: network's parameters, vectors and `Positions` to context, interest, interest times scale, uncertainty.
        learn: see `NetworkLearner.learn`, with the batch last.
        learn_gate: see `GateLearner.learn`.
        learn_look: see `SecondLookLearner.learn`.
        start: see `step.start_items`.
        replace: see `table.replace_rows`.
        vectors: see `step.item_vectors`.
        gather: see `table.gather`.
        lengths: see `table.lengths`.
        logits: see `ranking.logits_of`.
        rank: see `ranking.rank`; parameters of gate and second look in place of these.
        top: see `ranking.top`, the same.
        ask: see `recommend.ask`; the gate's parameters in place of it.
        look_again: the second look's parameters, vectors and what is listed to what it makes of that.
    """

    def __init__(self, config: ModelConfig, components: Components, placement: Placement) -> None:
        self.compilations = 0
        self._placement, self._executables, self._config = placement, Executables(), config
        self._modules = partial(_modules, config, components)
        network, gate, look = nnx.eval_shape(self._modules)
        self._network, self._gate, self._look = Structure(network), Structure(gate), Structure(look)
        self._network_learner = NetworkLearner(self._network, config)
        self._gate_learner = GateLearner(self._gate)
        self._look_learner = SecondLookLearner(self._look)
        rows, whole = placement.rows, placement.whole
        self._network_lies = NetworkState(params=whole, average=whole, moments=whole, table=rows, step=whole)
        self.read = self.jit(self._traced_read)
        self.learn = self.jit(self._traced_learn, (self._network_lies, whole), donate_argnums=(0,))
        self.learn_gate = self.jit(self._gate_learner.learn, donate_argnums=(0,))
        self.learn_look = self.jit(self._look_learner.learn, donate_argnums=(0,))
        self.start = self.jit(start_items, rows, donate_argnums=(0,))
        self.replace = self.jit(replace_rows, rows, donate_argnums=(0,))
        self.vectors = self.jit(item_vectors)
        self.gather = self.jit(gather)
        self.lengths = self.jit(lengths, rows)
        self.logits = self.jit(logits_of)
        self.rank = self.jit(self._traced_rank)
        self.top = self.jit(self._traced_top)
        self.ask = self.jit(self._traced_ask)
        self.look_again = self.jit(self._traced_look)

    def begin(self, vectors: Array) -> tuple[NetworkState, AdamState, AdamState]:
        """Network, gate and second look before any step, on the device, with these vectors of items and tokens."""
        put, whole = self._placement.put, self._placement.whole
        begun = jax.jit(self._traced_begin)(put(vectors, self._placement.rows))
        states: tuple[NetworkState, AdamState, AdamState] = put(begun, (self._network_lies, whole, whole))
        return states

    def jit(self, function: Callable[..., Any], where: Any = None, **options: Any) -> Callable[..., Any]:
        """Results lie as `where` says, on every device whole by default."""

        def counted(*args: Any) -> Any:
            self.compilations += 1  # runs only while jax traces a new shape
            return function(*args)

        jitted = self._placement.jit(counted, where or self._placement.whole, **options)
        if self._config.num_devices > 1:
            return jitted
        return self._executables.function(f"{function.__module__}.{function.__qualname__}", jitted)

    def kept(self, compilation_cache: Path | None, num_item_rows: int) -> AbstractContextManager[None]:
        """While what it gives is entered, what is compiled is taken from and added to a file of this model."""
        if compilation_cache is None or self._config.num_devices > 1:
            return nullcontext()
        return self._executables.kept(runtime.executables_file(compilation_cache, (self._config, num_item_rows)))

    def _traced_begin(self, vectors: jax.Array) -> tuple[NetworkState, AdamState, AdamState]:
        """Compiled as one: its hundred small operations by themselves take jax a second and a half."""
        network, gate, look = self._modules()
        begun = self._network_learner.begin(network, vectors)
        return begun, self._gate_learner.begin(gate), self._look_learner.begin(look)

    def _traced_read(
        self, params: Params, vectors: jax.Array, positions: Positions
    ) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        network = self._network.build(params)
        context, interest, uncertainty = network(vectors, self._placement.divided(positions))
        return context, interest, interest * network.scale[...], uncertainty

    def _traced_learn(self, state: NetworkState, rate_scale: Array, batch: StepBatch) -> tuple[NetworkState, jax.Array]:
        divided = self._placement.divided(batch)._replace(rows=batch.rows, negatives=batch.negatives)
        return self._network_learner.learn(state, divided, rate_scale)

    def _traced_rank(self, judges: tuple[Params, Params], *args: Any) -> tuple[jax.Array, Shortlist]:
        return rank(self._judges(*judges), *args)

    def _traced_top(self, judges: tuple[Params, Params], *args: Any) -> jax.Array:
        return top(self._judges(*judges), *args)

    def _judges(self, gate: Params, look: Params) -> Judges:
        return Judges(self._gate.build(gate), self._look.build(look))

    def _traced_look(self, params: Params, vectors: jax.Array, listed: Listed) -> Looked:
        look = self._look.build(params)
        return look_again(look, described(vectors, listed, look.components))

    def _traced_ask(
        self, params: Params, table: Measured, context: jax.Array, scaled: jax.Array, query: Query
    ) -> Answer:
        return ask(self._gate.build(params), table, context, scaled, query)


def _modules(config: ModelConfig, components: Components) -> tuple[InterestNetwork, Gate, SecondLook]:
    """All that learns, as the seed makes it."""
    rngs = nnx.Rngs(config.seed)
    network = InterestNetwork(config, rngs)
    return network, Gate(network.encoder.width, components, rngs), SecondLook(components, rngs)
