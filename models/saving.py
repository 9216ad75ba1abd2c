"""What changed in a state since it was last asked: arrays of which a few rows change at a time. Plain numpy.

A state is a dict of arrays, or lists of byte strings, by name; changes to it are rows of those.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Column = Array | list[str]
State = Mapping[str, Any]


class Change(NamedTuple):
    """What changed in one array or list.

    Attributes:
        values: `[n, ...]` the new rows, or n byte strings.
        rows: `[n]` int64, ascending; None where everything is replaced.
        length: rows of the whole afterwards.
    """

    values: Array | list[bytes]
    rows: Array | None = None
    length: int = 0


class RowTracker:
    """Remembers which rows were touched.

    Attributes:
        num_marked: how many, or a few more: rows that are marked twice by one call count twice.
    """

    def __init__(self) -> None:
        self._is_marked = np.zeros(0, bool)
        self._marks: list[Array] = []
        self.num_marked = 0

    def mark(self, rows: Array) -> None:
        """`rows` have changed; duplicates are welcome."""
        if not len(rows):
            return
        self._make_room(int(rows.max()) + 1)
        new = rows[~self._is_marked[rows]]
        self._is_marked[new] = True
        self._marks.append(new.astype(np.int64))
        self.num_marked += len(new)

    def take(self, most: int | None = None) -> Array:
        """Distinct marked rows, ascending, at most `most` of those marked first; they are no longer marked."""
        if most is None or most >= self.num_marked:
            rows = np.flatnonzero(self._is_marked)
            self.clear()
            return rows
        count = 1 + int(np.searchsorted(np.cumsum([len(rows) for rows in self._marks]), most))
        oldest = self._marks[0] if count == 1 else np.concatenate(self._marks[:count])
        rows = np.sort(oldest[:most])  # np.unique hashes, which takes ten times as long
        self._marks[:count] = [oldest[most:]]
        self.num_marked -= most
        self._is_marked[rows] = False
        return rows[np.diff(rows, prepend=-1) > 0]

    def clear(self) -> None:
        """Nothing is marked."""
        self._is_marked[:] = False
        self._marks, self.num_marked = [], 0

    def _make_room(self, num_rows: int) -> None:
        if num_rows > len(self._is_marked):
            grown = np.zeros(max(num_rows, 2 * len(self._is_marked)), bool)
            grown[: len(self._is_marked)] = self._is_marked
            self._is_marked = grown


class Saved:
    """A part of the state: columns whose rows are tracked, and small things that are saved whole."""

    def __init__(self) -> None:
        self.tracker = RowTracker()

    def tracked(self) -> Mapping[str, Column]:
        """The live columns that the tracker's rows are rows of."""
        return {}

    def wholes(self) -> Mapping[str, Array]:
        """What is small, or changes altogether."""
        return {}

    def rows_of(self, rows: Array) -> dict[str, Array | list[bytes]]:
        """The content of `rows` of each tracked column; copies."""
        return {name: _rows(column, rows) for name, column in self.tracked().items()}

    def state(self) -> dict[str, Any]:
        """Everything; copies."""
        tracked = self.tracked()
        length = _length(tracked)
        whole = {name: np.array(array) for name, array in self.wholes().items()}
        return {**self.rows_of(np.arange(length)), **whole}

    def changed_rows(self, most: int | None = None) -> dict[str, Change]:
        """Rows that changed since they were last taken, `most` at the most; copies."""
        rows = self.tracker.take(most)
        length = _length(self.tracked())
        return {name: Change(values, rows, length) for name, values in self.rows_of(rows).items()} if len(rows) else {}

    def changes(self) -> dict[str, Change]:
        """All that changed since it was last taken; copies."""
        return {**self.changed_rows(), **{name: Change(np.array(array)) for name, array in self.wholes().items()}}

    def not_saved(self, changes: Mapping[str, Change]) -> None:
        """Changes that were taken are not safe anywhere: bring them again next time."""
        for change in changes.values():
            if change.rows is not None:
                self.tracker.mark(change.rows)
                return  # all columns have the same rows


def joined(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The arrays or changes of parts, by `part/name`."""
    return {f"{part}/{name}": value for part, named in parts.items() for name, value in named.items()}


def state_of(parts: Mapping[str, Saved]) -> dict[str, Any]:
    """Everything of some parts, by `part/name`; copies."""
    return joined({name: part.state() for name, part in parts.items()})


def part_of(state: Mapping[str, Any], part: str) -> dict[str, Any]:
    """What `joined` put under `part/`."""
    return {name.removeprefix(f"{part}/"): value for name, value in state.items() if name.startswith(f"{part}/")}


def _rows(column: Column, rows: Array) -> Array | list[bytes]:
    if isinstance(column, list):
        return [column[row].encode() for row in rows.tolist()]
    return column[rows]


def _length(columns: Mapping[str, Column | Sequence[Any]]) -> int:
    return next((len(column) for column in columns.values()), 0)
