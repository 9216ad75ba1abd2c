"""Named arrays with a row a user that are saved and forgotten together; some grow with what a user has."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike

from models.compiled import inlined
from models.saving import Array, Column, Saved, State

BLOCK = 10  # positions that a row takes at a time; 50 fill five of them
NO_BLOCK = 0  # holds zeros, for all positions that nobody has written
RESTORED_AT_ONCE = 65_536  # rows; copies of more would take memory that nobody needs afterwards

Columns = Mapping[str, Array]


class SavedForm(NamedTuple):
    """How rows are saved, where they are kept in fewer bytes; of both forms a checkpoint has the saved one.

    Attributes:
        saved: some rows' columns as they are saved, by their saved names, from those that are kept.
        kept: the reverse.
    """

    saved: Callable[[Columns], Columns]
    kept: Callable[[Columns], Columns]


AS_KEPT = SavedForm(saved=lambda columns: columns, kept=lambda columns: columns)


class Blocks(NamedTuple):
    """Where the positions of growing columns are, as compiled loops see it.

    Attributes:
        of_row: `[rows, blocks of a row]` int32, `NO_BLOCK` where there is none yet.
        free: `[blocks]` int32, a stack of blocks that were given back.
        counts: `[2]` int64: blocks that were ever taken, `NO_BLOCK` included, and how many of them are free.
    """

    of_row: Array
    free: Array
    counts: Array

    @classmethod
    def empty(cls, rows: int, length: int) -> Self:
        """Room for `rows` rows of up to `length` positions."""
        of_row = np.zeros((rows, -(-length // BLOCK)), np.int32)
        return cls(of_row, np.zeros(1 + of_row.size, np.int32), np.array([1, 0]))


@inlined
def place(blocks: Blocks, row: int, position: int) -> int:
    """Where a growing column has a position of a row."""
    return int(blocks.of_row[row, position // BLOCK]) * BLOCK + position % BLOCK


@inlined
def taken_place(blocks: Blocks, row: int, position: int) -> int:
    """The same for one that is about to be written."""
    at = position // BLOCK
    if blocks.of_row[row, at] == NO_BLOCK:
        if blocks.counts[1] > 0:
            blocks.counts[1] -= 1
            block = blocks.free[blocks.counts[1]]
        else:
            block = blocks.counts[0]
            blocks.counts[0] += 1
        blocks.of_row[row, at] = block
    return int(blocks.of_row[row, at]) * BLOCK + position % BLOCK


class UserRows(Saved):
    """A table of users: each column an array, each user a row, all zeros at first.

    A growing column has up to `length` positions a row. It is flat: compiled loops find a row's positions by `blocks`.

    Args:
        columns: dtype and shape of one row of each column.
        rows: users there is room for; rows that were never touched cost no memory, only addresses.
        growing: dtype of each growing column.
        length: positions of a row of those at the most.
        form: how they are saved.

    Attributes:
        end: one past the highest row that was ever touched.
    """

    def __init__(
        self,
        columns: Mapping[str, tuple[DTypeLike, tuple[int, ...]]],
        rows: int,
        growing: Mapping[str, DTypeLike] | None = None,
        length: int = 0,
        form: SavedForm = AS_KEPT,
    ) -> None:
        super().__init__()
        self._form = form
        self._columns: dict[str, Array] = {
            name: np.zeros((rows, *shape), dtype) for name, (dtype, shape) in columns.items()
        }
        self._length = length
        self.blocks = Blocks.empty(rows, length)
        self._growing: dict[str, Array] = {
            name: np.zeros((len(self.blocks.free), BLOCK), dtype) for name, dtype in (growing or {}).items()
        }
        self.end = 0

    def touch(self, users: Array) -> None:
        """The rows of `users` change: they are part of the next checkpoint."""
        self.tracker.mark(users)
        self.end = max(self.end, 1 + int(users.max(initial=-1)))

    def __getitem__(self, name: str) -> Array:
        """The column `name`; a growing one is flat."""
        return self._columns[name] if name in self._columns else self._growing[name].reshape(-1)

    @property
    def bytes_per_row(self) -> int:
        """What a user takes at the most; a column that nobody writes takes nothing."""
        fixed = sum(column.dtype.itemsize * int(np.prod(column.shape[1:])) for column in self._columns.values())
        position = sum(column.dtype.itemsize for column in self._growing.values())
        per_block = self.blocks.of_row.itemsize + BLOCK * position
        return fixed + per_block * self.blocks.of_row.shape[1]

    def forget(self, users: Array) -> None:
        """Zero the rows of `users`."""
        if not len(users):  # as in nearly every micro-batch
            return
        for column in self._columns.values():
            column[users] = 0
        self._give_back(users)
        self.touch(users)

    def _give_back(self, users: Array) -> None:
        """The blocks of `users` are free."""
        blocks = np.unique(self.blocks.of_row[users])
        blocks = blocks[blocks != NO_BLOCK]
        for column in self._growing.values():
            column[blocks] = 0
        num_free = self.blocks.counts[1]
        self.blocks.free[num_free : num_free + len(blocks)] = blocks
        self.blocks.counts[1] += len(blocks)
        self.blocks.of_row[users] = NO_BLOCK

    def tracked(self) -> Mapping[str, Column]:
        """The rows in use of the columns that do not grow."""
        return {name: column[: self.end] for name, column in self._columns.items()}

    def rows_of(self, rows: Array) -> dict[str, Array | list[bytes]]:
        """The content of `rows` of all columns as it is saved; copies."""
        fixed = {name: column[rows] for name, column in self._columns.items()}
        growing = {saved_name(name): column for name, column in self.positions_of(rows).items()}
        return dict(self._form.saved({**fixed, **growing}))

    def positions_of(self, rows: Array) -> dict[str, Array]:
        """The content of `rows` of growing columns: `[rows, length]` each, zeros behind what there is; copies."""
        blocks = self.blocks.of_row[rows]
        shape = len(rows), blocks.shape[1] * BLOCK
        dense = {name: column[blocks].reshape(shape) for name, column in self._growing.items()}
        return {name: column[:, : self._length] for name, column in dense.items()}

    def restore(self, state: State) -> None:
        """Become what `state` came from; that of a table without rows may be empty."""
        self.end = len(next(iter(state.values()), ()))
        for start in range(0, self.end, RESTORED_AT_ONCE):
            some = slice(start, min(start + RESTORED_AT_ONCE, self.end))
            kept = self._form.kept({name: column[some] for name, column in state.items()})
            for name, column in self._columns.items():
                column[some] = kept[name]
            if self._growing:
                self._restore_growing(start, {name: kept[saved_name(name)] for name in self._growing})
        self.tracker.clear()

    def _restore_growing(self, start: int, saved: Mapping[str, Array]) -> None:
        """Rows from `start` on; blocks of zeros are not taken."""
        num_blocks = self.blocks.of_row.shape[1]
        padding = (0, 0), (0, num_blocks * BLOCK - self._length)
        in_blocks = {name: np.pad(rows, padding).reshape(len(rows), num_blocks, BLOCK) for name, rows in saved.items()}
        is_taken = np.any([(column != 0).any(2) for column in in_blocks.values()], axis=0)
        rows, at = np.nonzero(is_taken)
        first = self.blocks.counts[0]
        blocks = np.arange(first, first + len(rows))
        self.blocks.of_row[start + rows, at] = blocks
        self.blocks.counts[0] += len(rows)
        for name, column in in_blocks.items():
            self._growing[name][blocks] = column[is_taken]


def saved_name(growing: str) -> str:
    """Of a growing column: unlike that of a column that does not grow, whose positions lie otherwise."""
    return f"growing/{growing}"
