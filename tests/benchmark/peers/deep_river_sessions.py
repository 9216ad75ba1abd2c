"""A peer: deep-river's LSTM, which learns one event at a time and gains a class with every new item.

.peers/learning/bin/python -m tests.benchmark.peers.deep_river_sessions     answers as `peers.protocol` says

What it sees of an item are 64 random numbers, for it has no table of vectors that are learned. Its window is of the
whole stream; each session is given one of its own, as they interleave. Classes are numbered as they come: deep-river
sorts them, and a new one in between would move what the others have learned.
"""

from collections import defaultdict, deque

import numpy as np
import torch
from deep_river.classification.zoo import LSTMClassifier

from tests.benchmark.peers.protocol import MISS, place, serve

FEATURES = UNITS = 64
WINDOW = 12
RATE = 0.1  # of SGD; of .3, 1 and Adam's .0001 and .001 none predicted better


class Lstm:
    """From a session's window to its next item."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)
        self._features: defaultdict[str, dict[str, float]] = defaultdict(self._drawn)
        self._windows: dict[str, deque[list[float]]] = defaultdict(lambda: deque(maxlen=WINDOW))
        self._last: dict[str, str] = {}
        self._classes: dict[str, int] = {}
        self._model = LSTMClassifier(
            n_features=FEATURES, hidden_size=UNITS, window_size=WINDOW, optimizer_fn="sgd", lr=RATE
        )

    def learn(self, session: str, item: str) -> None:
        """From the second event of a session on."""
        if session in self._last:
            self._model._x_window = self._windows[session]
            number = self._classes.setdefault(item, len(self._classes))
            self._model.learn_one(self._features[self._last[session]], number)
        self._last[session] = item

    def retrain(self) -> None:
        """Nothing waits: every event is learned at once."""

    def rank(self, session: str, target: str) -> int:
        """Among the items that followed another at least once."""
        if target not in self._classes:
            return MISS
        self._model._x_window = self._windows[session]
        probabilities = self._model.predict_proba_one(self._features[self._last[session]])
        return place(probabilities[self._classes[target]], probabilities.values())

    def _drawn(self) -> dict[str, float]:
        return {str(n): float(value) for n, value in enumerate(self._rng.standard_normal(FEATURES))}


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve(Lstm(), "deep-river", "torch", "river")
