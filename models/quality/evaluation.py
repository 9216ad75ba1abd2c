"""Prequential metrics: how high the next item stood before it was learned. Plain numpy."""

from collections.abc import Mapping

import numpy as np

from models.saving import Array, Saved, State

RANKERS = ("mixture", "vector", "counting", "popularity")
DEEPEST_RANK = 100  # ranks beyond count as misses at every k
RECENT_HALF_LIFE = 2_000  # predictions after which one counts half in `recent`


class RankHistogram:
    """How many predictions put the next item at each rank, for each of `RANKERS`."""

    def __init__(self) -> None:
        self.counts = np.zeros((len(RANKERS), DEEPEST_RANK + 1), np.float64)

    @property
    def num_predictions(self) -> float:
        """Predictions counted; the older of `recent` count less."""
        return float(self.counts[0].sum())

    def add(self, ranks: np.ndarray) -> None:
        """Count predictions; `ranks` `[predictions, rankers]` int, 0 is the top."""
        deepest = np.minimum(ranks, DEEPEST_RANK)
        for ranker in range(len(RANKERS)):
            self.counts[ranker] += np.bincount(deepest[:, ranker], minlength=DEEPEST_RANK + 1)

    def recall(self, ranker: str, k: int) -> float:
        """The share of predictions within the first k, in [0, 1]; nan before the first prediction."""
        hits = float(self.counts[RANKERS.index(ranker), :k].sum())
        return hits / self.num_predictions if self.num_predictions else float("nan")

    def mrr(self, ranker: str, k: int) -> float:
        """The mean reciprocal rank, ranks beyond k giving 0; nan before the first prediction."""
        reciprocal = float((self.counts[RANKERS.index(ranker), :k] / np.arange(1, k + 1)).sum())
        return reciprocal / self.num_predictions if self.num_predictions else float("nan")


class PrequentialMetrics(Saved):
    """The rankers side by side on the same predictions, each made before its event was learned.

    Attributes:
        total: over all so far.
        recent: over the recent past, by exponential decay.
        num_unseen: sampled events whose item had never been seen, so that nobody could predict it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = RankHistogram()
        self.recent = RankHistogram()
        self.num_unseen = 0

    def add(self, ranks: np.ndarray, num_unseen: int) -> None:
        """Count predictions, `[predictions, rankers]` int."""
        self.total.add(ranks)
        self.recent.counts *= 0.5 ** (len(ranks) / RECENT_HALF_LIFE)
        self.recent.add(ranks)
        self.num_unseen += num_unseen

    def wholes(self) -> Mapping[str, Array]:
        """Everything."""
        return {
            "total": self.total.counts,
            "recent": self.recent.counts,
            "num_unseen": np.array(self.num_unseen, np.int64),
        }

    def restore(self, state: State) -> None:
        """Become what `state` came from."""
        self.total.counts[:] = state["total"]
        self.recent.counts[:] = state["recent"]
        self.num_unseen = int(state["num_unseen"])
