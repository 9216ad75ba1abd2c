"""A growing table of unit vectors by name and its nearest rows. Plain numpy; knows nothing of Kafka."""

from collections.abc import Sequence

import numpy as np

FIRST_ROWS = 1_024


class VectorTable:
    """Vectors of equal length by name; dropping one moves the last row into its place."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._row_of: dict[str, int] = {}
        self._rows = np.zeros((0, 0), np.float32)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: str) -> bool:
        return name in self._row_of

    def put(self, name: str, vector: Sequence[float]) -> None:
        """Add or replace a vector. A vector of another length starts the table anew: the model was replaced."""
        if len(vector) != self._rows.shape[1]:
            self._names, self._row_of = [], {}
            self._rows = np.zeros((FIRST_ROWS, len(vector)), np.float32)
        row = self._row_of.setdefault(name, len(self._names))
        if row == len(self._names):
            self._names.append(name)
            if row == len(self._rows):
                self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        self._rows[row] = vector

    def drop(self, name: str) -> None:
        """Remove a vector, if it is there."""
        row = self._row_of.pop(name, None)
        if row is None:
            return
        last = self._names.pop()
        if last != name:
            self._names[row], self._row_of[last] = last, row
            self._rows[row] = self._rows[len(self._names)]

    def nearest(self, vector: Sequence[float], k: int) -> list[tuple[str, float]]:
        """The `k` names with the largest dot product, largest first, and their products; fewer when there are fewer."""
        if len(vector) != self._rows.shape[1]:
            return []
        scores = self._rows[: len(self._names)] @ np.asarray(vector, np.float32)
        best = np.argsort(-scores, kind="stable")[:k] if len(scores) <= k else _top(scores, k)
        return [(self._names[row], float(scores[row])) for row in best]


def _top(scores: np.ndarray, k: int) -> np.ndarray:
    best = np.argpartition(-scores, k)[:k]
    return best[np.argsort(-scores[best], kind="stable")]
