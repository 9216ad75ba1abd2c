"""The model's state on the device behind numpy; has every shape that can arrive compiled before it does."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from models.config import ModelConfig
from models.counting.memory import Components
from models.device.empty_inputs import EmptyInputs, nobody
from models.device.functions import Functions
from models.device.sharding import placement
from models.device.turn import Turn
from models.device.weights import WeightCopies, Weights
from models.inputs.batches import PADDED_SIZES, BatchBuilder, Room, StepBatch, pad_rows, padded_parts, rooms
from models.inputs.examples import empty_examples
from models.inputs.features import WindowBatch
from models.mixture.gate import GateBatch
from models.mixture.ranking import RankBatch, catalogue_sizes, num_at_once
from models.mixture.recommend import Answer, Query, asked_sizes
from models.mixture.second_look import Listed, Looked, Shortlist
from models.network.optimiser import AdamState
from models.network.step import NetworkState
from models.network.table import EmbeddingTable, Measured, fresh_vectors
from models.saving import Array, Column, RowTracker, Saved, State

FEW = PADDED_SIZES[0]  # windows that are read at a time, and predictions that the second look learns from
GATE_EXAMPLES = 128  # on which the gate learns at a time
RECYCLED_ROWS = 256  # rows replaced at a time
GATE_KNOWN = 2_048  # items of the gate's normaliser that the memory expects, counted exactly
GATE_SAMPLES = 2_048  # and sampled ones; with both the mixture is as good as with all items (54.80/20.66, 54.86/20.70)


class Compared(NamedTuple):
    """Interests, compared with all items; on the device.

    Attributes:
        context: `[batch or more, width]` float32.
        logits: `[batch, items]` float32, see `ranking.logits_of`.
    """

    context: jax.Array
    logits: jax.Array


class Device(Saved):
    """Owns the moving state of network, table and gate. One thread calls it; `served` may be read by another.

    Attributes:
        step: learning steps taken.
        num_negatives: sampled items of a step.
        turn: given away while it waits for results.
    """

    def __init__(self, config: ModelConfig, builder: BatchBuilder, num_item_rows: int) -> None:
        super().__init__()
        self._placement = placement(config.num_devices)
        self.step = 0
        self.turn = Turn()
        self.num_negatives = num_item_rows if config.loss == "full_softmax" else config.num_negatives
        self._config, self._builder, self._num_item_rows = config, builder, num_item_rows
        components = Components(config.encoder_window)
        self._empty = EmptyInputs(components, config.memory_slots, num_item_rows)
        self._functions = Functions(config, components, self._placement)
        self._state, self._gate_state, self._look_state = self._functions.begin(self._initial_vectors())
        self._copies = WeightCopies(self._functions.jit, self._placement.rows, builder.num_table_rows)

    def _initial_vectors(self) -> np.ndarray:
        rng = np.random.default_rng([self._config.seed, 0])
        vectors = fresh_vectors(self._builder.num_rows, self._config.dim, rng)
        vectors[0] = 0
        return pad_rows(vectors, self._builder.num_table_rows)

    @property
    def compilations(self) -> int:
        """XLA compilations of its functions so far; flat after `compile`."""
        return self._functions.compilations

    @property
    def live(self) -> Weights:
        """The state of now; a learning step may still compute it."""
        judges = self._gate_state.average, self._look_state.average
        return Weights(self._state.average, *judges, self._state.table.vectors, None, self.step)

    @property
    def served(self) -> Weights:
        """The state as `serve` copied it last, which waits for no learning step; that of now before it ever did."""
        return self._copies.kept or self.live

    def copied(self) -> Weights:
        """The state of now, which stays as it is."""
        return self._copies.make(self.live)

    def serve(self) -> None:
        """Let `served` catch up: a copy of all, later of the rows that moved since."""
        self._copies.catch_up(self.live)

    def encode(self, windows: WindowBatch, weights: Weights) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
        """Begin to encode any number of windows.

        Returns:
            Waits; returns interests and how uncertain they are: `[windows, dim]`, `[windows]` float32.
        """
        under_way = [
            (self._read_windows(windows.take(part), size, weights), min(size, len(windows) - part.start))
            for part, size in padded_parts(len(windows))
        ]

        def ended() -> tuple[np.ndarray, np.ndarray]:
            interests, uncertainties = [np.zeros((0, self._config.dim), np.float32)], [np.zeros(0, np.float32)]
            for (_, interest, _, uncertainty), count in under_way:
                self.turn.wait_for((interest, uncertainty))
                interests.append(np.asarray(interest)[:count])
                uncertainties.append(np.asarray(uncertainty)[:count])
            return np.concatenate(interests), np.concatenate(uncertainties)

        return ended

    def _read_windows(
        self, windows: WindowBatch, size: int, weights: Weights, room: Room | None = None
    ) -> tuple[jax.Array, ...]:
        positions = self._builder.positions(windows, size, room)
        read: tuple[jax.Array, ...] = self._functions.read(weights.network, weights.vectors, positions)
        return read

    def item_vectors(self, slots: np.ndarray, weights: Weights) -> np.ndarray:
        """Unit vectors of any number of items: `[items, dim]` float32."""
        vectors = [np.zeros((0, self._config.dim), np.float32)]
        for part, size in padded_parts(len(slots)):
            some = slots[part]
            read = self.turn.wait_for(self._functions.vectors(weights.vectors, pad_rows(some, size)))
            vectors.append(np.asarray(read)[: len(some)])
        return np.concatenate(vectors)

    def learn(self, batch: StepBatch, rate_scale: float = 1.0) -> jax.Array:
        """One step of the network; returns before it is computed, reading the loss blocks."""
        self._mark(np.asarray(batch.rows))
        with self.turn.given():  # a CPU is at work for milliseconds before the call returns
            self._state, loss = self._functions.learn(self._state, np.float32(rate_scale), batch)
        self.step += 1
        return jnp.asarray(loss)

    def learn_gate(self, windows: WindowBatch, batch: GateBatch) -> jax.Array:
        """One step of the gate on `GATE_EXAMPLES` examples; returns before it is computed."""
        context, _, scaled, _ = self._read_windows(windows, GATE_EXAMPLES, self.live)
        vectors = self._state.table.vectors
        with self.turn.given():
            self._gate_state, loss = self._functions.learn_gate(self._gate_state, vectors, context, scaled, batch)
        return jnp.asarray(loss)

    def learn_second_look(self, shortlists: Sequence[Shortlist], targets: Sequence[Array]) -> None:
        """Learn from up to `FEW` predictions that were ranked, in some parts; returns before it is computed."""
        parts = zip(shortlists, targets, strict=True)
        shortlist, all_targets = jax.tree.map(lambda *some: pad_rows(np.concatenate(some), FEW), *parts)
        with self.turn.given():
            self._look_state = self._functions.learn_look(self._look_state, shortlist, all_targets)

    def compare(self, windows: WindowBatch, batch: RankBatch, weights: Weights) -> Compared:
        """All items with up to `ranking.num_at_once` interests: half of the work of `rank` and of `top`."""
        context, _, scaled, _ = self._read_windows(windows, FEW, weights)
        return self.turn.wait_for(Compared(context, self._functions.logits(weights.vectors, scaled, batch)))

    def rank(self, compared: Compared, batch: RankBatch, weights: Weights) -> tuple[np.ndarray, Shortlist]:
        """Ranks of the targets, see `ranking.rank`; the shortlist stays on the device."""
        ranks, shortlist = self._functions.rank(weights.judges, weights.vectors, *compared, batch)
        return np.asarray(self.turn.wait_for(ranks)), shortlist

    def top(self, compared: Compared, batch: RankBatch, weights: Weights) -> np.ndarray:
        """The best items, see `ranking.top`; compiled when it is first called."""
        return np.asarray(self._functions.top(weights.judges, weights.vectors, *compared, batch))

    def recommend(self, windows: WindowBatch, query: Query, weights: Weights) -> Answer:
        """See `recommend.ask`, for up to `FEW` windows; `query` is padded to 1 or `FEW` rows."""
        measured = self._functions.lengths(weights.vectors) if weights.lengths is None else weights.lengths
        context, _, scaled, _ = self._read_windows(windows, FEW, weights)
        answer = self._functions.ask(weights.gate, Measured(weights.vectors, measured), context, scaled, query)
        self.turn.wait_for(answer)
        return Answer(*(np.asarray(array)[: len(windows)] for array in answer))

    def look_again(self, listed: Listed, weights: Weights) -> Looked:
        """See `second_look.look_again`, for 1 or `FEW` rows."""
        looked = self.turn.wait_for(self._functions.look_again(weights.look, weights.vectors, listed))
        return Looked(*map(np.asarray, looked))

    def start_items(self, targets: np.ndarray, windows: np.ndarray, lasts: np.ndarray, followers: np.ndarray) -> None:
        """See `step.start_items`; shorter arrays are padded."""
        self._mark(targets)
        self._mark(followers)
        self._mark(lasts)
        size = FEW if max(len(targets), len(lasts)) <= FEW else self._config.batch_size
        arrays = self._padded(targets, size), pad_rows(windows, size), self._padded(lasts, size)
        self._put(self._functions.start(self._state.table, *arrays, pad_rows(followers, size)))

    def replace(self, slots: np.ndarray, rng: np.random.Generator) -> None:
        """Fresh vectors and zero moments for recycled slots."""
        self._mark(slots)
        for start in range(0, len(slots), RECYCLED_ROWS):
            rows = self._padded(slots[start : start + RECYCLED_ROWS], RECYCLED_ROWS)
            vectors = fresh_vectors(RECYCLED_ROWS, self._config.dim, rng)
            self._put(self._functions.replace(self._state.table, rows, vectors))
        if self._copies.kept is not None:
            self.serve()  # or the next items in these slots would be read by the vectors of the ones before

    def _padded(self, rows: Array, size: int) -> Array:
        """Rows of the table, padded by one off its end."""
        return pad_rows(rows.astype(np.int32), size, self._builder.num_table_rows)

    def _put(self, table: EmbeddingTable) -> None:
        self._state = self._state._replace(table=table)

    def compile(self, compilation_cache: Path | None = None) -> None:
        """Compile every shape that can arrive, on a copy: the state stays as it is.

        Args:
            compilation_cache: as of `runtime.configure`, for what need not be compiled again by the next process.
        """
        kept = self._state, self._gate_state, self._look_state, self.step
        marked = self.tracker
        self.tracker = RowTracker()
        self._state, self._gate_state, self._look_state = jax.tree.map(jnp.copy, kept[:3])
        with self._functions.kept(compilation_cache, self._num_item_rows):
            self._compile_reading()
            self._compile_learning()
        jax.block_until_ready(self._state)  # type: ignore[no-untyped-call]
        self._state, self._gate_state, self._look_state, self.step = kept
        self.tracker = marked

    def _compile_reading(self) -> None:
        window = self._config.encoder_window
        for size in PADDED_SIZES:
            self.rows_of(np.zeros(size, np.int64))
            self.item_vectors(np.zeros(size, np.int32), self.live)
        for size in (*PADDED_SIZES, GATE_EXAMPLES):
            for room in rooms(size, window):
                self._read_windows(WindowBatch.empty(size, window), size, self.live, room)
        for size in catalogue_sizes(self._num_item_rows):
            nothing = self._empty.ranking(num_at_once(size), size)
            self.rank(self.compare(WindowBatch.empty(1, window), nothing, self.live), nothing, self.live)
        for size in asked_sizes(self._num_item_rows):
            for batch in (1, FEW):
                self.recommend(WindowBatch.empty(batch, window), self._empty.query(batch, size), self.live)
        for batch in (1, FEW):
            self.look_again(self._empty.listed(batch), self.live)
        self._copies.compile(self.live)

    def _compile_learning(self) -> None:
        size, window = self._config.batch_size, self._config.encoder_window
        soft = np.zeros((size, self._config.num_soft_targets), np.int32)
        for room in rooms(size, window):
            self.learn(self._builder.step(empty_examples(size, window), soft, nobody(self.num_negatives), room))
        self.learn_gate(
            WindowBatch.empty(GATE_EXAMPLES, window), self._empty.gate(GATE_EXAMPLES, GATE_KNOWN + GATE_SAMPLES)
        )
        self.learn_second_look([self._empty.shortlist(FEW)], [np.zeros(FEW, np.int32)])
        for count in {0, size}:
            items = np.full(count, self._builder.num_table_rows, np.int32)
            self.start_items(items, np.zeros((count, window), np.int32), items, items)
        self.replace(np.full(1, self._builder.num_table_rows, np.int32), np.random.default_rng(0))

    def tracked(self) -> Mapping[str, Column]:
        """The table's rows, of items and query tokens; those never touched are as the seed made them."""
        is_touched = np.ones(self._builder.num_rows, bool)
        columns: dict[str, Any] = {**self._state.table.columns()}
        return {"is_touched": is_touched, **columns}

    def rows_of(self, rows: Array) -> dict[str, Any]:
        """The content of some rows of the table, read from the device in padded parts."""
        empty = np.zeros((0, self._config.dim), np.float32)
        parts = {name: [empty] for name in self._state.table.columns()}
        for part, size in padded_parts(len(rows)):
            some = rows[part].astype(np.int32)
            for name, column in self._functions.gather(self._state.table, pad_rows(some, size)).columns().items():
                parts[name].append(np.asarray(column)[: len(some)])
        columns = {name: np.concatenate(column) for name, column in parts.items()}
        return {"is_touched": np.ones(len(rows), bool), **columns}

    def wholes(self) -> Mapping[str, Array]:
        """Network, gate and second look with their moments."""
        return {jax.tree_util.keystr(path): np.array(leaf) for path, leaf in self._leaves()}

    def restore(self, state: State) -> None:
        """Become what `state` came from."""
        rows, whole = self._placement.rows, self._placement.whole
        leaves = [self._placement.put(state[jax.tree_util.keystr(path)], whole) for path, _ in self._leaves()]
        small, self._gate_state, self._look_state = jax.tree.unflatten(jax.tree.structure(self._small()), leaves)
        vectors = self._initial_vectors()
        parts = {"vectors": vectors, **{name: np.zeros_like(vectors) for name in self._state.table.moments}}
        touched = np.flatnonzero(state.get("is_touched", ()))
        for name, part in parts.items():
            if len(touched):
                part[touched] = state[name][touched]
        columns = {name: self._placement.put(part, rows) for name, part in parts.items()}
        table = EmbeddingTable(columns.pop("vectors"), columns)
        self._state = NetworkState(**small, table=table)
        self.step = int(self._state.step)
        self._copies.forget()
        self.tracker.clear()

    def _mark(self, rows: Array) -> None:
        rows = rows[(rows >= 0) & (rows < self._builder.num_rows)]
        self.tracker.mark(rows)
        self._copies.mark(rows)

    def _small(self) -> tuple[dict[str, Any], AdamState, AdamState]:
        network = {name: part for name, part in self._state._asdict().items() if name != "table"}
        return network, self._gate_state, self._look_state

    def _leaves(self) -> list[tuple[Any, Any]]:
        return jax.tree_util.tree_leaves_with_path(self._small())
