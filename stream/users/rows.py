"""Named arrays with a row a user that are saved and forgotten together. Pure numpy."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import DTypeLike

from models.saving import Array, Column, Saved, State


class UserRows(Saved):
    """A table of users: each column an array, each user a row, all zeros at first.

    Args:
        columns: dtype and shape of one row of each column.
        rows: users there is room for; rows that were never touched cost no memory, only addresses.
    """

    def __init__(self, columns: Mapping[str, tuple[DTypeLike, tuple[int, ...]]], rows: int) -> None:
        super().__init__()
        self._columns: dict[str, Array] = {
            name: np.zeros((rows, *shape), dtype) for name, (dtype, shape) in columns.items()
        }
        self._end = 0

    def touch(self, users: Array) -> None:
        """The rows of `users` change: they are part of the next checkpoint."""
        self.tracker.mark(users)
        self._end = max(self._end, 1 + int(users.max(initial=-1)))

    def __getitem__(self, name: str) -> Array:
        """The column `name`."""
        return self._columns[name]

    @property
    def bytes_per_row(self) -> int:
        """What a user takes at the most; a column that nobody writes takes nothing."""
        return sum(column.dtype.itemsize * int(np.prod(column.shape[1:])) for column in self._columns.values())

    def in_use(self, name: str) -> Array:
        """The column `name` up to the highest row that was ever touched."""
        return self._columns[name][: self._end]

    def forget(self, users: Array) -> None:
        """Zero the rows of `users`."""
        for column in self._columns.values():
            column[users] = 0
        self.touch(users)

    def tracked(self) -> Mapping[str, Column]:
        """The rows in use."""
        return {name: self.in_use(name) for name in self._columns}

    def restore(self, state: State) -> None:
        """Become what `state` came from."""
        for name, saved in state.items():
            self._columns[name][: len(saved)] = saved
            self._end = len(saved)
        self.tracker.clear()
