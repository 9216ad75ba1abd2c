"""A peer: V-SKNN (Ludewig and Jannach 2018), nearest neighbours of sessions. Answers as `peers.protocol` says.

As published but for an item's rarity, which counts its sessions, and with the settings its authors tuned for
DIGINETICA.
"""

import math
from collections import defaultdict
from heapq import nlargest

from tests.benchmark.peers.protocol import MISS, place, serve

NEIGHBOURS = 50
RECENT = 2_500  # sessions that share an item, of which neighbours are chosen
RARITY = 10  # weight of an item's rarity in its score


class SessionNeighbours:
    """Sessions are similar by the items they share with this one, later ones of which weigh more."""

    def __init__(self) -> None:
        self._items_of: dict[str, list[str]] = defaultdict(list)
        self._sessions_of: dict[str, set[str]] = defaultdict(set)
        self._last: dict[str, int] = {}

    def learn(self, session: str, item: str) -> None:
        """One more event."""
        self._items_of[session].append(item)
        self._sessions_of[item].add(session)
        self._last[session] = len(self._last) if session not in self._last else self._last[session]

    def retrain(self) -> None:
        """Nothing waits: every event is taken in at once."""

    def rank(self, session: str, target: str) -> int:
        """Among what the neighbours have."""
        scores = self.scores(session)
        return place(scores[target], scores.values()) if target in scores else MISS

    def scores(self, session: str) -> dict[str, float]:
        """What the neighbours of a session have, and how much it counts."""
        items = self._items_of[session]
        place_of = {item: number for number, item in enumerate(items, 1)}
        scores: dict[str, float] = defaultdict(float)
        for neighbour, similarity in nlargest(
            NEIGHBOURS, self._similar(session, place_of).items(), key=lambda each: each[1]
        ):
            others = set(self._items_of[neighbour])
            since = len(items) - max(place_of[item] for item in others & place_of.keys())
            decay = max(0.0, 1 - 0.1 * (1 + since))
            for item in others:
                scores[item] += similarity * decay * (1 + RARITY * self._rarity(item))
        return scores

    def _similar(self, session: str, place_of: dict[str, int]) -> dict[str, float]:
        shared: dict[str, float] = defaultdict(float)
        for item, number in place_of.items():
            for other in self._sessions_of[item]:
                shared[other] += number
        shared.pop(session, None)
        return {other: shared[other] for other in nlargest(RECENT, shared, key=self._last.__getitem__)}

    def _rarity(self, item: str) -> float:
        return math.log(len(self._last) / len(self._sessions_of[item]))


if __name__ == "__main__":
    serve(SessionNeighbours())
