"""Recommendations for windows: asks memory, trend and device, and joins what they say. Plain numpy."""

from collections.abc import Callable, Iterator

import numpy as np

from models.counting.memory import CountingMemory, Recollection
from models.device.device import FEW, Device
from models.device.weights import Weights
from models.inputs.batches import pad_rows
from models.inputs.features import WindowBatch
from models.items.vocabulary import ItemVocabulary
from models.mixture.ranking import least_size
from models.mixture.recommend import (
    DIVERSIFIED,
    NEAREST,
    Pool,
    Query,
    Recommendations,
    RecommendPolicy,
    Votes,
    asked_sizes,
    best,
    diversify,
    pool,
)
from models.mixture.second_look import LOOKED_AT, Listed


class Recommender:
    """Ranks by the whole mixture. Reads only.

    Args:
        device: knows the vectors and the gate.
        weights: which of them.
        memory: knows what follows what.
        items: knows how many there are.
    """

    def __init__(
        self, device: Device, weights: Callable[[], Weights], memory: CountingMemory, items: ItemVocabulary
    ) -> None:
        self._device, self._weights, self._memory, self._items = device, weights, memory, items

    def recommend(self, windows: WindowBatch, left_out: np.ndarray, policy: RecommendPolicy) -> Recommendations:
        """See `Reader.recommend`."""
        chosen = [
            best for part in _parts(len(windows)) for best in self._few(windows.take(part), left_out[part], policy)
        ]
        slots, scores = (
            np.zeros((len(chosen), policy.count), np.int32),
            np.zeros((len(chosen), policy.count), np.float32),
        )
        for row, some in enumerate(chosen):
            slots[row, : len(some.slots)], scores[row, : len(some.slots)] = some.slots, some.scores
        return Recommendations(slots, scores)

    def _few(self, windows: WindowBatch, left_out: np.ndarray, policy: RecommendPolicy) -> list[Pool]:
        """Lists for at most `FEW` windows."""
        depth = policy.count if policy.diversity == 0 else max(policy.count, DIVERSIFIED)
        recollection = self._memory.recall(self._memory.recent_items(windows.slots))
        pools = [best(some, max(depth, LOOKED_AT)) for some in self._pools(windows, recollection, left_out)]
        pools = [best(some, depth) for some in self._look_again(recollection, pools)]
        if policy.diversity == 0:
            return pools
        vectors = self._device.item_vectors(np.concatenate([some.slots for some in pools]), self._weights())
        ends = np.cumsum([len(some.slots) for some in pools])
        return [diversify(some, part, policy) for some, part in zip(pools, np.split(vectors, ends[:-1]), strict=True)]

    def _pools(self, windows: WindowBatch, recollection: Recollection, left_out: np.ndarray) -> Iterator[Pool]:
        memory, count = self._memory, len(windows)
        popular = self._most_popular()
        ids = np.concatenate([recollection.ids, np.broadcast_to(popular, (count, len(popular)))], 1)
        query = self._query(ids, recollection)
        nearest, of_nearest, of_ids, weights = map(np.asarray, self._device.recommend(windows, query, self._weights()))
        by_memory = weights[:, self._component_of(recollection)] * recollection.shares
        for row in range(count):
            all_ids = np.concatenate([nearest[row], ids[row]])
            by_network = np.concatenate([of_nearest[row], of_ids[row]])
            by_others = np.zeros(len(all_ids), np.float32)
            start = nearest.shape[1]
            by_others[start : start + by_memory.shape[1]] = by_memory[row]
            trust = float(weights[row, 0]), float(weights[row, -1])
            yield pool(Votes(all_ids, by_network, memory.popularity(all_ids), by_others, trust), left_out[row])

    def _look_again(self, recollection: Recollection, pools: list[Pool]) -> Iterator[Pool]:
        """Pools, best first, with the scores of the second look."""
        room = 1 if len(pools) == 1 else FEW
        width = min(LOOKED_AT, self._items.num_rows)
        columns = zip(*([pad_rows(column[:width], width) for column in some] for some in pools), strict=True)
        slots, *probabilities = map(np.stack, columns)
        num_seen = self._memory.num_seen[slots].astype(np.float32)
        listed = (slots, *probabilities, num_seen, recollection.ids, recollection.shares)
        looked = self._device.look_again(Listed(*(pad_rows(column, room) for column in listed)), self._weights())
        for some, scores, of_others in zip(pools, *looked, strict=False):
            some.scores[:width] = scores[: len(some.scores)]
            some.scores[width:] *= of_others
            yield some

    def _query(self, ids: np.ndarray, recollection: Recollection) -> Query:
        size = least_size(asked_sizes(self._items.num_rows), self._items.end)
        room = 1 if len(ids) == 1 else FEW
        return Query(
            pad_rows(ids, room),
            pad_rows(recollection.confidence, room),
            pad_rows(recollection.has_say, room),
            self._memory.is_seen[:size],
        )

    def _most_popular(self) -> np.ndarray:
        """`[NEAREST]` int32, 0 where there are not as many."""
        shares = self._memory.popularity(slice(0, self._items.end))
        count = min(NEAREST, len(shares))
        top = np.argpartition(shares, len(shares) - count)[-count:]
        return pad_rows(np.where(shares[top] > 0, top, 0).astype(np.int32), NEAREST)

    def _component_of(self, recollection: Recollection) -> np.ndarray:
        components = self._memory.components
        neighbours = (recollection.ids.shape[1] - components.window) // (2 * components.num_lags)
        return components.of_candidates(neighbours)


def _parts(count: int) -> list[slice]:
    return [slice(start, start + FEW) for start in range(0, count, FEW)]
