"""Named arrays with a row a user that grow, are saved and are forgotten together. Pure numpy."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import DTypeLike

from models.saving import Array, Column, Saved, State


class UserRows(Saved):
    """A table of users: each column an array, each user a row, all zeros at first.

    Args:
        columns: dtype and shape of one row of each column.
        rows: users there is room for at first; grows by doubling. Untouched rows cost no memory.
    """

    def __init__(self, columns: Mapping[str, tuple[DTypeLike, tuple[int, ...]]], rows: int = 1_024) -> None:
        super().__init__()
        self._columns: dict[str, Array] = {
            name: np.zeros((rows, *shape), dtype) for name, (dtype, shape) in columns.items()
        }
        self.capacity = rows
        self._end = 0

    def touch(self, users: Array) -> None:
        """The rows of `users` change: they are part of the next checkpoint."""
        self.tracker.mark(users)
        self._end = max(self._end, 1 + int(users.max(initial=-1)))

    def __getitem__(self, name: str) -> Array:
        """The column `name`; valid until the next `grow`."""
        return self._columns[name]

    def grow(self, rows: int) -> None:
        """Make room for users below `rows`; what is there stays."""
        if rows <= self.capacity:
            return
        rows = max(rows, 2 * self.capacity)
        for name, old in self._columns.items():
            new = np.zeros((rows, *old.shape[1:]), old.dtype)
            new[: self.capacity] = old
            self._columns[name] = new
        self.capacity = rows

    def forget(self, users: Array) -> None:
        """Zero the rows of `users`."""
        for column in self._columns.values():
            column[users] = 0
        self.touch(users)

    def tracked(self) -> Mapping[str, Column]:
        """The rows up to the highest that was ever touched."""
        return {name: column[: self._end] for name, column in self._columns.items()}

    def restore(self, state: State) -> None:
        """Become what `state` came from."""
        for name, saved in state.items():
            self.grow(len(saved))
            self._columns[name][: len(saved)] = saved
            self._end = len(saved)
        self.tracker.clear()
