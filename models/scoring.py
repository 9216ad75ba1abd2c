"""How well a learner predicts: a sample of the examples is ranked before they are learned."""

from collections.abc import Callable, Generator

import numpy as np

from models.config import ModelConfig
from models.device.device import FEW, Device
from models.inputs.features import Examples
from models.items.vocabulary import ItemVocabulary
from models.quality.evaluation import PrequentialMetrics
from models.serving.ranker import Ranked, Ranker, joined_ranks

RANKED_ITEMS = 40_000  # up to as many, as many are scored as `score_sample_ratio` says; beyond, so many fewer

Scored = tuple[np.ndarray, np.ndarray]  # see `LearnReport.scored` and `LearnReport.ranks`


class Scorer:
    """Ranks, counts how well that went, and lets the second look learn from it.

    Args:
        config: the settings.
        device: has the second look.
        ranker: ranks.
        items: the items of now.
        prequential: is told the ranks.
    """

    def __init__(
        self,
        config: ModelConfig,
        device: Device,
        ranker: Ranker,
        items: ItemVocabulary,
        prequential: PrequentialMetrics,
    ) -> None:
        self._config, self._device, self._ranker = config, device, ranker
        self._items, self._prequential = items, prequential

    def score(self, batch: Callable[[], Examples], rng: np.random.Generator) -> Generator[None, None, Scored]:
        """Rank a sample of the examples that have a window and an admitted target, in pieces of some milliseconds.

        Args:
            batch: the examples as they are now; between two pieces items may leave them.
            rng: chooses the sample.

        Returns:
            Which of them were ranked, and their ranks.
        """
        sampled = self.sampled(np.flatnonzero(self._ranker.is_predictable(batch())), rng).astype(np.int32)
        waiting = self._seen(sampled, batch())
        num_unseen = len(sampled) - len(waiting)
        scored, parts = [waiting[:0]], list[Ranked]()
        while len(waiting):
            some, waiting = np.split(waiting, [self._ranker.num_at_once])
            scored.append(self._seen(some, batch()))
            parts.append((yield from self._ranker.ranking(batch().take(scored[-1]))))
            yield
        self._learn(parts)
        ranks = joined_ranks(parts)
        self._prequential.add(ranks, num_unseen)
        return np.concatenate(scored), ranks

    def sampled(self, predictable: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Some of the examples, as many as `score_sample_ratio` says: `FEW` of some batches rather than few of each.

        The second look learns from `FEW` at a time. Ranking costs as much as there are items, so more than
        `RANKED_ITEMS` make it rarer.
        """
        ratio = self._config.score_sample_ratio * min(1.0, RANKED_ITEMS / self._items.end)
        wanted = ratio * len(predictable)
        count = int(wanted) // FEW * FEW
        more = min(FEW, len(predictable) - count)
        if rng.random() * more < wanted - count:
            count += more
        return np.sort(rng.permutation(predictable)[:count])

    def _seen(self, at: np.ndarray, batch: Examples) -> np.ndarray:
        """Those whose item stands in the ranking."""
        return at[self._ranker.is_seen[batch.targets[at]]]

    def _learn(self, parts: list[Ranked]) -> None:
        """The second look learns from `FEW` predictions at a time."""
        some = list[Ranked]()
        for part in parts:
            some.append(part)
            if sum(len(one.targets) for one in some) >= FEW or part is parts[-1]:
                self._device.learn_second_look([one.shortlist for one in some], [one.targets for one in some])
                some.clear()
