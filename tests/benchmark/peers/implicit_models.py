"""Peers: implicit's ALS and item-item BM25, retrained on all sessions whenever a period is over.

.peers/recommenders/bin/python -m tests.benchmark.peers.implicit_models als     answers as `peers.protocol` says

A session is a user who is folded in by the items it has had. Items since the last training are not known. Settings
are the best of a few that were tried on the very predictions that are compared.
"""

import sys
from collections import Counter, defaultdict

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import BM25Recommender
from scipy.sparse import csr_matrix

from tests.benchmark.peers.protocol import MISS, serve


class Retrained:
    """A matrix of sessions and items, and scores by the last training."""

    def __init__(self) -> None:
        self._items_of: dict[str, Counter[str]] = defaultdict(Counter)
        self._columns: dict[str, int] = {}

    def learn(self, session: str, item: str) -> None:
        """Kept for the next training."""
        self._items_of[session][item] += 1

    def retrain(self) -> None:
        """Forget the last training."""
        items = {item: None for counts in self._items_of.values() for item in counts}
        self._columns = {item: column for column, item in enumerate(items)}
        self.fit(self._matrix(list(self._items_of.values())))

    def rank(self, session: str, target: str) -> int:
        """Among the items of the last training."""
        if target not in self._columns:
            return MISS
        scores = self.scores(self._matrix([self._items_of[session]]))
        wanted = scores[self._columns[target]]
        return int((~(scores < wanted)).sum()) - 1 if np.isfinite(wanted) else MISS

    def fit(self, sessions: csr_matrix) -> None:
        """Train on `[sessions, items]` counts."""
        raise NotImplementedError

    def scores(self, session: csr_matrix) -> np.ndarray:
        """`[items]` after the `[1, items]` counts of a session; -inf for what is not recommended at all."""
        raise NotImplementedError

    def _matrix(self, sessions: list[Counter[str]]) -> csr_matrix:
        cells = [
            (row, self._columns[item], count)
            for row, counts in enumerate(sessions)
            for item, count in counts.items()
            if item in self._columns
        ]
        rows, columns, counts = np.array(cells, np.int32).reshape(-1, 3).T
        return csr_matrix((counts.astype(np.float32), (rows, columns)), (len(sessions), len(self._columns)))


class Als(Retrained):
    """Factors of sessions and items."""

    def fit(self, sessions: csr_matrix) -> None:
        """From the beginning."""
        self._model = AlternatingLeastSquares(**ALS, random_state=0)
        self._model.fit(sessions, show_progress=False)

    def scores(self, session: csr_matrix) -> np.ndarray:
        """The dot products with the session's newly solved factor."""
        return self._model.item_factors @ self._model.recalculate_user(np.array([0]), session)[0]


class Bm25(Retrained):
    """The items nearest to each item, by how many sessions have both."""

    def fit(self, sessions: csr_matrix) -> None:
        """From the beginning."""
        self._model = BM25Recommender(**BM25)
        self._model.fit(sessions, show_progress=False)

    def scores(self, session: csr_matrix) -> np.ndarray:
        """Sums of similarities to the session's items."""
        num_items = session.shape[1]
        columns, found = self._model.recommend(0, session, N=num_items, filter_already_liked_items=False)
        scores = np.full(num_items, -np.inf)
        scores[columns] = found
        return scores


ALS = {"factors": 512, "regularization": 0.1, "alpha": 40.0, "iterations": 15}
BM25 = {"K": 100, "K1": 0.2, "B": 0.75}
MODELS: dict[str, type[Retrained]] = {"als": Als, "bm25": Bm25}

if __name__ == "__main__":
    serve(MODELS[sys.argv[1]](), "implicit")
