"""Ranks the whole catalogue after some windows, in padded parts, without learning anything."""

from collections.abc import Callable, Generator, Iterable
from typing import NamedTuple

import numpy as np

from models.counting.memory import CountingMemory
from models.device.device import Device
from models.device.weights import Weights
from models.inputs.batches import pad_rows
from models.inputs.features import Examples
from models.items.vocabulary import ItemVocabulary
from models.mixture.ranking import TOP_ITEMS, RankBatch, catalogue_sizes, least_size, num_at_once
from models.mixture.second_look import Shortlist
from models.quality.evaluation import RANKERS


class Ranked(NamedTuple):
    """Predictions that were ranked.

    Attributes:
        targets: `[num_at_once]` int32 item slots, 0 for padding.
        ranks: `[n, rankers]` int32, see `Ranker.rank`.
        shortlist: what the second look was at, on the device.
    """

    targets: np.ndarray
    ranks: np.ndarray
    shortlist: Shortlist


class Ranker:
    """Reads the state of vocabulary, memory and device; changes none of them. Arguments as of `Reader`."""

    def __init__(
        self, device: Device, weights: Callable[[], Weights], memory: CountingMemory, items: ItemVocabulary
    ) -> None:
        self._device, self._weights, self._memory, self._items = device, weights, memory, items

    @property
    def is_seen(self) -> np.ndarray:
        """The item slots that stand in the ranking: `[items]` bool; a view."""
        return self._memory.is_seen

    @property
    def num_at_once(self) -> int:
        """Predictions of one call, see `ranking.num_at_once`."""
        return num_at_once(self._num_ranked)

    def is_predictable(self, examples: Examples) -> np.ndarray:
        """Which examples have a window and an item with a slot of its own: `[examples]` bool."""
        return self._items.is_target(examples.targets) & (examples.windows.slots != 0).any(1)

    def rank(self, examples: Examples) -> np.ndarray:
        """Where the targets stand among all items seen: `[examples, rankers]` int32, 0 the top, ties against them."""
        return joined_ranks(_at_once(self.ranking(part)) for part in self._parts(examples))

    def ranking(self, examples: Examples) -> Generator[None, None, Ranked]:
        """The same for at most `num_at_once` and with what else comes out, in two pieces: as items stand at the first.

        Items may come and go between them, but nothing be learned.
        """
        batch = self._batch(examples)
        compared = self._device.compare(examples.windows, batch, self._weights())
        yield
        ranks, shortlist = self._device.rank(compared, batch, self._weights())
        return Ranked(np.asarray(batch.targets), ranks[: len(examples)], shortlist)

    def top(self, examples: Examples) -> np.ndarray:
        """The item slots that each ranker puts first: `[examples, rankers, TOP_ITEMS]` int32, best first.

        Where fewer items have been seen, what comes after them is not to be recommended: slots that are not `is_seen`.
        """
        lists = [np.zeros((0, len(RANKERS), min(TOP_ITEMS, self._items.num_rows)), np.int32)]
        for part in self._parts(examples):
            batch, weights = self._batch(part), self._weights()
            compared = self._device.compare(part.windows, batch, weights)
            lists.append(self._device.top(compared, batch, weights)[: len(part)])
        return np.concatenate(lists)

    def _batch(self, examples: Examples) -> RankBatch:
        recollection = self._memory.recall(self._memory.recent_items(examples.windows.slots))
        rows, size = self.num_at_once, self._num_ranked
        return RankBatch(
            pad_rows(examples.targets, rows),
            pad_rows(recollection.ids, rows),
            pad_rows(recollection.shares, rows),
            pad_rows(recollection.confidence, rows),
            pad_rows(recollection.has_say, rows),
            self._memory.is_seen[:size].copy(),  # items may go before the ranking ends
            self._memory.popularity(slice(0, size)),
            self._memory.num_seen[:size].astype(np.float32),
        )

    @property
    def _num_ranked(self) -> int:
        """Rows of the table that are ranked: all items that there are, and some more."""
        return least_size(catalogue_sizes(self._items.num_rows), self._items.end)

    def _parts(self, examples: Examples) -> list[Examples]:
        rows = self.num_at_once
        return [examples.take(slice(start, start + rows)) for start in range(0, len(examples), rows)]


def _at_once(ranking: Generator[None, None, Ranked]) -> Ranked:
    """What comes of a ranking without a pause between its pieces."""
    while True:
        try:
            next(ranking)
        except StopIteration as ended:
            ranked: Ranked = ended.value
            return ranked


def joined_ranks(parts: Iterable[Ranked]) -> np.ndarray:
    """The ranks of all parts: `[n, rankers]` int32."""
    return np.concatenate([np.zeros((0, len(RANKERS)), np.int32), *(part.ranks for part in parts)])
