"""The embedding table on the device, of which a step moves the touched rows only."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from models.inputs.layout import Array

INITIAL_SCALE = 0.3  # standard deviation of a fresh vector's coordinates


class EmbeddingTable(NamedTuple):
    """Vectors of all items and query tokens with their moments; row 0 is padding and stays zero.

    Attributes:
        vectors: `[rows, dim]` float32.
        moments: each `[rows, dim]` float32, what the optimiser keeps for a row beside its vector, by name.
    """

    vectors: jax.Array
    moments: dict[str, jax.Array]

    def columns(self) -> dict[str, jax.Array]:
        """All of it by name."""
        return {"vectors": self.vectors, **self.moments}


def fresh_vectors(count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
    """Random starting vectors: `[count, dim]` float32."""
    return rng.standard_normal((count, dim), np.float32) * np.float32(INITIAL_SCALE)


def gather(table: EmbeddingTable, rows: Array) -> EmbeddingTable:
    """The table's rows; for those beyond its end, which `scatter` drops, its last row."""
    gathered: EmbeddingTable = jax.tree.map(lambda part: part.at[rows].get(mode="clip"), table)
    return gathered


def scatter(table: EmbeddingTable, rows: Array, values: EmbeddingTable) -> EmbeddingTable:
    """The table with distinct `rows` replaced; rows beyond its end are dropped."""

    def replaced(part: jax.Array, value: jax.Array) -> jax.Array:
        return part.at[rows].set(value, mode="drop", unique_indices=True)

    after: EmbeddingTable = jax.tree.map(replaced, table, values)
    return after


def replace_rows(table: EmbeddingTable, rows: Array, vectors: Array) -> EmbeddingTable:
    """Fresh vectors and zero moments for recycled rows; rows off the table are dropped."""
    fresh = jnp.asarray(vectors)
    return scatter(table, rows, EmbeddingTable(fresh, {name: jnp.zeros_like(fresh) for name in table.moments}))


def lengths(vectors: jax.Array) -> jax.Array:
    """Of vectors `[rows, dim]`: `[rows]` float32. Of a whole table they cost more than a comparison with all of it."""
    return jnp.sqrt(jnp.sum(vectors * vectors, axis=-1))


class Measured(NamedTuple):
    """A table's vectors and how long they are.

    Attributes:
        vectors: `[rows, dim]` float32.
        lengths: `[rows]` float32.
    """

    vectors: jax.Array
    lengths: jax.Array


def copied(vectors: jax.Array) -> Measured:
    """All of a table's vectors."""
    return Measured(jnp.copy(vectors), lengths(vectors))


def carry_over(into: Measured, vectors: jax.Array, rows: Array) -> Measured:
    """The copy brought up to date in distinct `rows`; rows beyond the table's end are dropped."""
    moved = gather(EmbeddingTable(vectors, {}), rows)
    after = scatter(EmbeddingTable(into.vectors, {}), rows, moved).vectors
    return Measured(after, into.lengths.at[rows].set(lengths(moved.vectors), mode="drop", unique_indices=True))
