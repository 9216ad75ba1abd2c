"""How well nearest neighbours of sessions predict, beside our rankers, on the same predictions.

    python -m tests.benchmark.session_knn FOLDER [--periods N] [--sample RATIO]

FOLDER is judged as by `interest-stream evaluate --protocol periods`. The peer is V-SKNN (Ludewig and Jannach 2018), as
published but for an item's rarity, which counts its sessions, and with the settings its authors tuned for DIGINETICA.
It takes in every event at once, where ours learns after 256.
"""

import argparse
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from heapq import nlargest
from pathlib import Path

import numpy as np

from models.config import ModelConfig
from models.evaluation import RANKERS
from models.features import Examples
from models.predictions import gains, mean_over_parts
from models.runtime import configure
from stream.evaluation.prequential import Evaluation, EvaluationPlan
from stream.evaluation.sources import Stretch, period_stretches
from stream.records.events import Event, Search
from stream.settings import Settings

NEIGHBOURS = 50
RECENT = 2_500  # sessions that share an item, of which neighbours are chosen
RARITY = 10  # weight of an item's rarity in its score
MISS = 10**6


class SessionNeighbours:
    """V-SKNN. Sessions are similar by the items they share with this one, later ones of which weigh more."""

    def __init__(self) -> None:
        self._items_of: dict[str, list[str]] = defaultdict(list)
        self._sessions_of: dict[str, set[str]] = defaultdict(set)
        self._last: dict[str, int] = {}

    def add(self, session: str, item: str) -> None:
        """One more event."""
        self._items_of[session].append(item)
        self._sessions_of[item].add(session)
        self._last[session] = len(self._last) if session not in self._last else self._last[session]

    def rank(self, session: str, target: str) -> int:
        """Where the target stands as the session's next item, 0 the top, ties against it."""
        scores = self.scores(session)
        return sum(score >= scores[target] for score in scores.values()) - 1 if target in scores else MISS

    def scores(self, session: str) -> dict[str, float]:
        """What the neighbours of a session have, and how much it counts."""
        items = self._items_of[session]
        place = {item: number for number, item in enumerate(items, 1)}
        scores: dict[str, float] = defaultdict(float)
        for neighbour, similarity in nlargest(
            NEIGHBOURS, self._similar(session, place).items(), key=lambda each: each[1]
        ):
            others = set(self._items_of[neighbour])
            since = len(items) - max(place[item] for item in others & place.keys())
            decay = max(0.0, 1 - 0.1 * (1 + since))
            for item in others:
                scores[item] += similarity * decay * (1 + RARITY * self._rarity(item))
        return scores

    def _similar(self, session: str, place: dict[str, int]) -> dict[str, float]:
        shared: dict[str, float] = defaultdict(float)
        for item, number in place.items():
            for other in self._sessions_of[item]:
                shared[other] += number
        shared.pop(session, None)
        return {other: shared[other] for other in nlargest(RECENT, shared, key=self._last.__getitem__)}

    def _rarity(self, item: str) -> float:
        return math.log(len(self._last) / len(self._sessions_of[item]))


class Comparison:
    """Ranks of the peer for whatever the evaluation ranks."""

    def __init__(self, sample: float) -> None:
        self._peer = SessionNeighbours()
        self._ahead: dict[int, tuple[str, str]] = {}
        self._num_read = self._num_added = 0
        self.ranks: list[int] = []
        model = ModelConfig()
        self.evaluation = Evaluation(Settings.load(), model, EvaluationPlan("event", sample), self._rank)

    def judge(self, stretch: Stretch) -> np.ndarray:
        """`[n]` of `PREDICTION`; as many ranks are added."""
        read = Stretch(stretch.number, self._read(stretch.events), stretch.is_judged, stretch.known_only)
        return self.evaluation.judge(read)

    def _read(self, events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            if not isinstance(event, Search):
                self._ahead[self._num_read] = event.user_id, event.item_id
                self._num_read += 1
            yield event

    def _rank(self, _: Examples, rows: np.ndarray) -> None:
        for position in rows["position"].tolist():
            while self._num_added < position:
                self._peer.add(*self._ahead.pop(self._num_added))
                self._num_added += 1
            self.ranks.append(self._peer.rank(*self._ahead[position]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--periods", type=int, default=1)
    parser.add_argument("--sample", type=float, default=0.3)
    args = parser.parse_args()
    configure(preallocate=False, compilation_cache=Settings.load().compilation_cache)
    comparison = Comparison(args.sample)
    comparison.evaluation.start()
    judged = np.concatenate([comparison.judge(stretch) for stretch in period_stretches(args.folder, args.periods)])
    by_ranker = {ranker: judged["ranks"][:, at] for at, ranker in enumerate(RANKERS)}
    print(f"{len(judged):,} predictions, recall@20 / MRR@20 in percent")
    for name, ranks in {**by_ranker, "V-SKNN": np.array(comparison.ranks)}.items():
        gain = gains(ranks)
        recall, mrr = (100 * mean_over_parts(gain[figure], judged["part"]) for figure in ("recall@20", "mrr@20"))
        print(f"{name:10} {recall:.2f} / {mrr:.2f}")


if __name__ == "__main__":
    main()
