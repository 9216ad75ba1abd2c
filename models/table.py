"""The embedding table on the device, and an Adam that moves only the rows that a step touched."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from models import adam
from models.batches import Array

INITIAL_SCALE = 0.3  # standard deviation of a fresh vector's coordinates


class EmbeddingTable(NamedTuple):
    """Vectors of all items and query tokens with their Adam moments; row 0 is padding and stays zero.

    Attributes:
        vectors: `[rows, dim]` float32.
        mean: `[rows, dim]` float32, first moments.
        square: `[rows, dim]` float32, second moments.
    """

    vectors: jax.Array
    mean: jax.Array
    square: jax.Array


def fresh_vectors(count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
    """Random starting vectors: `[count, dim]` float32."""
    return rng.standard_normal((count, dim), np.float32) * np.float32(INITIAL_SCALE)


def gather(table: EmbeddingTable, rows: Array) -> EmbeddingTable:
    """The table's rows; zeros for rows beyond its end."""
    vectors, mean, square = (part.at[rows].get(mode="fill", fill_value=0.0) for part in table)
    return EmbeddingTable(vectors, mean, square)


def scatter(table: EmbeddingTable, rows: Array, values: EmbeddingTable) -> EmbeddingTable:
    """The table with distinct `rows` replaced; rows beyond its end are dropped."""
    vectors, mean, square = (
        part.at[rows].set(value, mode="drop", unique_indices=True) for part, value in zip(table, values, strict=True)
    )
    return EmbeddingTable(vectors, mean, square)


def adam_rows(rows: EmbeddingTable, gradients: jax.Array, learning_rate: float) -> EmbeddingTable:
    """One step of Adam on gathered rows; each began at a time of its own, so no shared count corrects their moments."""
    before = adam.Moments(jnp.int32(adam.LONG_AGO), rows.mean, rows.square)
    vectors, after = adam.step(rows.vectors, gradients, before, learning_rate)
    return EmbeddingTable(vectors, jnp.asarray(after.mu), jnp.asarray(after.nu))
