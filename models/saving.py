"""What changed in a state since it was last asked: arrays of which a few rows change at a time. Plain numpy.

A state is a dict of arrays, or lists of byte strings, by name; changes to it are rows of those.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Column = Array | list[str]
State = Mapping[str, Any]

FLAT_AFTER = 65_536  # marks that are sorted and made distinct at once, so that marking often costs no memory


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
    """Remembers which rows were touched."""

    def __init__(self) -> None:
        self._marks: list[Array] = []
        self.num_marked = 0

    def mark(self, rows: Array) -> None:
        """`rows` have changed; duplicates are welcome."""
        if not len(rows):
            return
        self._marks.append(rows.astype(np.int64))
        self.num_marked += len(rows)
        if len(self._marks) > 1 and self.num_marked - len(self._marks[0]) > FLAT_AFTER:
            self._flatten()

    def exceeds(self, most: int) -> bool:
        """Whether more than `most` distinct rows are marked."""
        if self.num_marked > most:
            self._flatten()
        return self.num_marked > most

    def take(self, most: int | None = None) -> Array:
        """Distinct marked rows, ascending, `most` of them at the most; they are no longer marked."""
        self._flatten()
        rows = self._marks[0] if self._marks else np.zeros(0, np.int64)
        taken, left = rows[:most], rows[len(rows[:most]) :]
        self._marks, self.num_marked = ([left], len(left)) if len(left) else ([], 0)
        return taken

    def clear(self) -> None:
        """Nothing is marked."""
        self._marks, self.num_marked = [], 0

    def _flatten(self) -> None:
        if self._marks:
            rows = np.sort(np.concatenate(self._marks))  # np.unique hashes, which takes ten times as long
            self._marks = [rows[np.diff(rows, prepend=-1) > 0]]
            self.num_marked = len(self._marks[0])


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
