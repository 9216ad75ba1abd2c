"""The model's state on the device behind numpy; compiles each shape once and counts compilations."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from models.batches import BatchBuilder, Candidates, GateBatch, StepBatch, pad_rows, query_sizes
from models.config import ModelConfig
from models.examples import empty_examples
from models.features import WindowBatch
from models.memory import Components
from models.ranking import RANK_ROWS, RankBatch, catalogue_sizes, merge_and_rank
from models.step import Model, ModelState, StepResult, item_vectors, replace_rows
from models.table import EmbeddingTable, fresh_vectors

PADDED_SIZES = (16, 64, 256, 1024)  # windows or items of one call; more are done in chunks of the largest
RECYCLED_ROWS = 256  # rows replaced at a time
GATE_ROWS = 32  # examples of a batch on which the gate learns
GATE_SAMPLES = 2_048  # items of its normaliser


class Device:
    """Owns the moving `ModelState`. One thread calls it.

    Attributes:
        compilations: XLA compilations of its functions so far; flat after `compile`.
        step: learning steps taken.
    """

    def __init__(self, config: ModelConfig, builder: BatchBuilder, num_item_rows: int) -> None:
        self.compilations = 0
        self.step = 0
        self._config = config
        self._builder = builder
        self._num_item_rows = num_item_rows
        self._model = Model(config)
        self._components = Components(config.encoder_window)
        params = jax.tree.map(jnp.array, self._model.initial_params)
        self._state = ModelState(params, self._model.optimizer.init(params), self._initial_table(), jnp.int32(0))
        self._encode = self._jit(self._model.encode)
        self._learn = self._jit(self._model.learn, donate_argnums=(0,))
        self._start = self._jit(self._model.start_items, donate_argnums=(0,))
        self._replace = self._jit(replace_rows, donate_argnums=(0,))
        self._vectors = self._jit(item_vectors)
        self._rank = self._jit(functools.partial(merge_and_rank, self._model.graph, self._components))

    def _jit(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        def counted(*args: Any) -> Any:
            self.compilations += 1  # runs only while XLA traces
            return function(*args)

        return jax.jit(counted, **options)

    def _initial_vectors(self) -> np.ndarray:
        rng = np.random.default_rng([self._config.seed, 0])
        vectors = fresh_vectors(self._builder.num_rows, self._config.dim, rng)
        vectors[0] = 0
        return vectors

    def _initial_table(self) -> EmbeddingTable:
        vectors = jnp.asarray(self._initial_vectors())
        return EmbeddingTable(vectors, jnp.zeros_like(vectors), jnp.zeros_like(vectors))

    def encode(self, windows: WindowBatch) -> np.ndarray:
        """Interests of any number of windows: `[windows, dim]` float32."""
        parts = [self._encode_part(windows.take(part), size) for part, size in _parts(len(windows))]
        return np.concatenate(parts) if parts else np.zeros((0, self._config.dim), np.float32)

    def _encode_part(self, windows: WindowBatch, size: int, min_queries: int = 0) -> np.ndarray:
        positions = self._builder.positions(windows, size, min_queries)
        interests = self._encode(self._state.params, self._state.table.vectors, positions)
        return np.asarray(interests)[: len(windows)]

    def item_vectors(self, slots: np.ndarray) -> np.ndarray:
        """Unit vectors of any number of items: `[items, dim]` float32."""
        parts = [
            np.asarray(self._vectors(self._state.table.vectors, pad_rows(slots[part], size)))[: len(slots[part])]
            for part, size in _parts(len(slots))
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self._config.dim), np.float32)

    def learn(self, batch: StepBatch, gate: GateBatch | None) -> StepResult:
        """Take one step; returns before it is computed, the result blocks when it is read."""
        self._state, result = self._learn(self._state, batch, gate)
        self.step += 1
        return result

    def start_items(self, targets: np.ndarray, windows: np.ndarray, lasts: np.ndarray, followers: np.ndarray) -> None:
        """See `Model.start_items`; shorter arrays are padded."""
        size, nowhere = self._config.batch_size, self._builder.num_rows
        arrays = pad_rows(targets, size, nowhere), pad_rows(windows, size), pad_rows(lasts, size, nowhere)
        table = self._start(self._state.table, *arrays, pad_rows(followers, size))
        self._state = self._state._replace(table=table)

    def replace(self, slots: np.ndarray, rng: np.random.Generator) -> None:
        """Fresh vectors and zero moments for recycled slots."""
        for start in range(0, len(slots), RECYCLED_ROWS):
            rows = pad_rows(slots[start : start + RECYCLED_ROWS], RECYCLED_ROWS, self._builder.num_rows)
            vectors = fresh_vectors(RECYCLED_ROWS, self._config.dim, rng)
            self._state = self._state._replace(table=self._replace(self._state.table, rows, vectors))

    def rank(self, batch: RankBatch) -> np.ndarray:
        """Ranks of up to `RANK_ROWS` targets, see `ranking.rank`."""
        return np.asarray(self._rank(self._state.params, self._state.table.vectors, batch))

    def compile(self) -> None:
        """Compile every shape that can arrive, on a copy: the state stays as it is."""
        kept, step = self._state, self.step
        self._state = jax.tree.map(jnp.copy, kept)
        self._compile_reading()
        self._compile_learning()
        jax.block_until_ready(self._state)  # type: ignore[no-untyped-call]
        self._state, self.step = kept, step

    def _compile_reading(self) -> None:
        window = self._config.encoder_window
        for size in PADDED_SIZES:
            self.item_vectors(np.zeros(size, np.int32))
            for queries in query_sizes(size, window):
                self._encode_part(WindowBatch.empty(size, window), size, queries)
        for size in catalogue_sizes(self._num_item_rows):
            for queries in query_sizes(RANK_ROWS, window):
                self.rank(self._empty_ranking(size, queries))

    def _empty_ranking(self, size: int, queries: int) -> RankBatch:
        count, window = self._components.count, self._config.encoder_window
        width = self._components.num_candidates(self._config.memory_slots)
        return RankBatch(
            self._builder.positions(WindowBatch.empty(RANK_ROWS, window), RANK_ROWS, queries),
            np.zeros(RANK_ROWS, np.int32),
            np.zeros((RANK_ROWS, width), np.int32),
            np.zeros((RANK_ROWS, width), np.float32),
            np.zeros((RANK_ROWS, count), np.float32),
            np.zeros((RANK_ROWS, count), bool),
            np.zeros(size, bool),
            np.zeros(size, np.float32),
        )

    def _compile_learning(self) -> None:
        size, window = self._config.batch_size, self._config.encoder_window
        negatives = _no_candidates(self._config.num_negatives)
        for queries in query_sizes(size, window):
            batch = self._builder.step(empty_examples(size, window), negatives, queries)
            self.learn(batch, None)
            self.learn(batch, self._empty_gate())
        nothing = np.zeros(0, np.int32)
        self.start_items(nothing, np.zeros((0, window), np.int32), nothing, nothing)
        self.replace(np.full(1, self._builder.num_rows, np.int32), np.random.default_rng(0))

    def _empty_gate(self) -> GateBatch:
        floats = np.zeros((GATE_ROWS, self._components.count), np.float32)
        rows = np.zeros(GATE_ROWS, np.int32)
        return GateBatch(rows, rows, floats, floats, floats > 0, _no_candidates(GATE_SAMPLES))

    def state(self, end: int) -> dict[str, np.ndarray]:
        """Everything, as flat arrays; of the item rows those below `end`, since later ones are as they began."""
        arrays = {f"params{jax.tree_util.keystr(path)}": leaf for path, leaf in self._small_leaves()}
        for name, part in self._state.table._asdict().items():
            arrays[f"items.{name}"] = part[:end]
            arrays[f"tokens.{name}"] = part[self._num_item_rows :]
        return {name: np.array(array) for name, array in arrays.items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Become what `state` came from."""
        leaves = [jnp.asarray(state[f"params{jax.tree_util.keystr(path)}"]) for path, _ in self._small_leaves()]
        structure = jax.tree.structure((self._state.params, self._state.moments, self._state.step))
        params, moments, step = jax.tree.unflatten(structure, leaves)
        vectors = self._initial_vectors()
        parts = {"vectors": vectors, "mean": np.zeros_like(vectors), "square": np.zeros_like(vectors)}
        for name, part in parts.items():
            part[: len(state[f"items.{name}"])] = state[f"items.{name}"]
            part[self._num_item_rows :] = state[f"tokens.{name}"]
        table = EmbeddingTable(**{name: jnp.asarray(part) for name, part in parts.items()})
        self._state = ModelState(params, moments, table, step)
        self.step = int(step)

    def _small_leaves(self) -> list[tuple[Any, Any]]:
        return jax.tree_util.tree_leaves_with_path((self._state.params, self._state.moments, self._state.step))


def _parts(count: int) -> list[tuple[slice, int]]:
    """Slices of at most the largest padded size, each with the size that it is padded to."""
    largest = PADDED_SIZES[-1]
    starts = range(0, count, largest)
    lengths = [min(largest, count - start) for start in starts]
    sizes = [next(size for size in PADDED_SIZES if size >= length) for length in lengths]
    return [(slice(start, start + largest), size) for start, size in zip(starts, sizes, strict=True)]


def _no_candidates(count: int) -> Candidates:
    return Candidates(np.zeros(count, np.int32), np.zeros(count, np.float32))
