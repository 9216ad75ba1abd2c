"""Peers of river, which learn one event at a time, each beside sampled items that it was not.

.peers/recommenders/bin/python -m tests.benchmark.peers.river_models fm     answers as `peers.protocol` says

`biased_mf` factors sessions and items, `fm` a session's last item and its next; `logistic` has a weight for each item,
each pair of items in a row, and for what the session had before. Settings are the best of a few that were tried on
predictions of the very stream that is compared.
"""

import random
import sys
from collections import defaultdict

from river.facto import FMClassifier
from river.linear_model import LogisticRegression
from river.optim import SGD, AdaGrad
from river.reco import BiasedMF

from tests.benchmark.peers.protocol import MISS, place, serve

NEGATIVES = 4  # for each event
FACTORS = 16


class Sampled:
    """Items seen, some of which are what an event was not."""

    def __init__(self) -> None:
        self._numbers: dict[str, None] = {}
        self._items: list[str] = []
        self._last: dict[str, str] = {}
        self._rng = random.Random(0)

    def learn(self, session: str, item: str) -> None:
        """What came, then what did not."""
        if item not in self._numbers:
            self._numbers[item] = None
            self._items.append(item)
        self.learn_whether(session, item, True)
        for other in self._rng.choices(self._items, k=NEGATIVES):
            self.learn_whether(session, other, False)
        self._last[session] = item

    def retrain(self) -> None:
        """Nothing waits: every event is learned at once."""

    def rank(self, session: str, target: str) -> int:
        """Among all items seen."""
        if target not in self._numbers:
            return MISS
        return place(self.score(session, target), [self.score(session, item) for item in self._items])

    def learn_whether(self, session: str, item: str, came: bool) -> None:
        """One step."""
        raise NotImplementedError

    def score(self, session: str, item: str) -> float:
        """How likely it comes next."""
        raise NotImplementedError


class Factors(Sampled):
    """Of sessions and items."""

    def __init__(self) -> None:
        super().__init__()
        self._model = BiasedMF(FACTORS, bias_optimizer=SGD(0.05), latent_optimizer=SGD(0.05), seed=0)

    def learn_whether(self, session: str, item: str, came: bool) -> None:
        """A rating of 1 or 0."""
        self._model.learn_one(session, item, float(came))

    def score(self, session: str, item: str) -> float:
        """The rating."""
        return self._model.predict_one(session, item)


class Transitions(Sampled):
    """Of an item and its next, from the second event of a session on."""

    def __init__(self) -> None:
        super().__init__()
        self._model = FMClassifier(FACTORS, weight_optimizer=SGD(0.05), latent_optimizer=SGD(0.3), seed=0)

    def learn_whether(self, session: str, item: str, came: bool) -> None:
        """A class."""
        if session in self._last:
            self._model.learn_one({"last": self._last[session], "next": item}, came)

    def score(self, session: str, item: str) -> float:
        """The probability of the class."""
        return self._model.predict_proba_one({"last": self._last[session], "next": item})[True]


class Pairs(Sampled):
    """Weights of pairs of items in a row."""

    def __init__(self) -> None:
        super().__init__()
        self._model = LogisticRegression(AdaGrad(0.5))
        self._had: dict[str, set[str]] = defaultdict(set)

    def learn(self, session: str, item: str) -> None:
        """And remember that the session had it."""
        super().learn(session, item)
        self._had[session].add(item)

    def learn_whether(self, session: str, item: str, came: bool) -> None:
        """A class."""
        self._model.learn_one(self._features(session, item), came)

    def score(self, session: str, item: str) -> float:
        """The probability of the class."""
        return self._model.predict_proba_one(self._features(session, item))[True]

    def _features(self, session: str, item: str) -> dict[str, float]:
        had = {"had": 1.0} if item in self._had[session] else {}
        return {item: 1.0, f"{self._last.get(session)} {item}": 1.0, **had}


MODELS: dict[str, type[Sampled]] = {"biased_mf": Factors, "fm": Transitions, "logistic": Pairs}

if __name__ == "__main__":
    serve(MODELS[sys.argv[1]](), "river")
