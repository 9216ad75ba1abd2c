"""What is read of a model's state, and copies of it that no learning step moves."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from models.inputs.batches import PADDED_SIZES, pad_rows, padded_parts
from models.network.structure import Params
from models.network.table import Measured, carry_over, copied
from models.saving import Array, RowTracker

Jit = Callable[..., Callable[..., Any]]


class Weights(NamedTuple):
    """What is read of the state.

    Attributes:
        network: its parameters.
        gate: its parameters.
        look: parameters of the second look.
        vectors: `[rows, dim]` float32, of items and query tokens.
        lengths: `[rows]` float32, of the vectors; None where nobody has measured them.
        step: learning steps behind them.
    """

    network: Params
    gate: Params
    look: Params
    vectors: jax.Array
    lengths: jax.Array | None
    step: int

    @property
    def judges(self) -> tuple[Params, Params]:
        """The parameters of what ranks with the network, see `ranking.Judges`."""
        return self.gate, self.look


class WeightCopies:
    """Makes copies, and keeps one that catches up by the rows that moved.

    Args:
        jit: compiles a function, given where its results shall lie.
        rows: where a table lies, see `Placement`.
        num_rows: of the table.

    Attributes:
        kept: the copy as it caught up last; None before it ever did.
    """

    def __init__(self, jit: Jit, rows: Any, num_rows: int) -> None:
        self.kept: Weights | None = None
        self._moved = RowTracker()
        self._num_rows = num_rows
        self._copy = jit(_copied)
        self._copy_table = jit(copied, rows)
        self._carry_over = jit(carry_over, rows, donate_argnums=(0,))

    def make(self, weights: Weights) -> Weights:
        """A copy of all."""
        return self._beside(self._copy_table(weights.vectors), weights)

    def catch_up(self, weights: Weights) -> None:
        """Let `kept` become a copy of `weights`: all of them, later the rows that were marked since."""
        kept, rows = self.kept, self._moved.take()
        if kept is None or kept.lengths is None:
            self.kept = self.make(weights)
        elif len(rows) or kept.step != weights.step:
            table = Measured(kept.vectors, kept.lengths)
            for part, size in padded_parts(len(rows)):
                some = pad_rows(rows[part].astype(np.int32), size, self._num_rows)
                table = self._carry_over(table, weights.vectors, some)
            self.kept = self._beside(table, weights)

    def mark(self, rows: Array) -> None:
        """`rows` of the table move."""
        if self.kept is not None:
            self._moved.mark(rows)

    def forget(self) -> None:
        """Nothing is kept."""
        self.kept = None
        self._moved.clear()

    def compile(self, weights: Weights) -> None:
        """Compile every shape that can arrive."""
        table = self._copy_table(weights.vectors)
        self._beside(table, weights)
        for size in PADDED_SIZES:
            table = self._carry_over(table, weights.vectors, np.zeros(size, np.int32))

    def _beside(self, table: Measured, weights: Weights) -> Weights:
        """What is small is copied whole."""
        network, gate, look = self._copy((weights.network, weights.gate, weights.look))
        return Weights(network, gate, look, *table, weights.step)


def _copied(arrays: Any) -> Any:
    return jax.tree.map(jnp.copy, arrays)
