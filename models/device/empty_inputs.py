"""Inputs that hold nothing, of the shapes that can arrive: what a device compiles its functions with. Plain numpy."""

from dataclasses import dataclass

import numpy as np

from models.counting.memory import Components
from models.inputs.batches import Candidates
from models.mixture.gate import GateBatch
from models.mixture.ranking import RankBatch
from models.mixture.recommend import NEAREST, Query
from models.mixture.second_look import LOOKED_AT, Listed, Shortlist, num_features


@dataclass(frozen=True)
class EmptyInputs:
    """Of one model.

    Attributes:
        components: of the mixture.
        memory_slots: neighbours of an item.
        num_item_rows: item slots, used or not.
    """

    components: Components
    memory_slots: int
    num_item_rows: int

    def ranking(self, batch: int, items: int) -> RankBatch:
        """Nothing to be ranked among so many items."""
        shares, confidence = self._shares(batch), self._by_component(batch)
        is_seen, popularity = np.zeros(items, bool), np.zeros(items, np.float32)
        ids, targets = shares.astype(np.int32), np.zeros(batch, np.int32)
        return RankBatch(targets, ids, shares, confidence, confidence > 0, is_seen, popularity, popularity)

    def query(self, batch: int, items: int) -> Query:
        """Nobody to recommend any of so many items to."""
        confidence = self._by_component(batch)
        ids = np.zeros((batch, self._shares(batch).shape[1] + NEAREST), np.int32)
        return Query(ids, confidence, confidence > 0, np.zeros(items, bool))

    def listed(self, batch: int) -> Listed:
        """Nothing to look at."""
        floats, shares = np.zeros((batch, min(LOOKED_AT, self.num_item_rows)), np.float32), self._shares(batch)
        return Listed(floats.astype(np.int32), floats, floats, floats, floats, shares.astype(np.int32), shares)

    def shortlist(self, batch: int) -> Shortlist:
        """The same, described."""
        slots, mixture, *_ = self.listed(batch)
        return Shortlist(slots, mixture, np.zeros((*slots.shape, num_features(self.components)), np.float32))

    def gate(self, batch: int, samples: int) -> GateBatch:
        """Nothing for the gate to learn from."""
        confidence, targets = self._by_component(batch), np.zeros(batch, np.int32)
        return GateBatch(targets, confidence[:, 0], confidence, confidence, confidence > 0, nobody(samples))

    def _by_component(self, batch: int) -> np.ndarray:
        return np.zeros((batch, self.components.count), np.float32)

    def _shares(self, batch: int) -> np.ndarray:
        return np.zeros((batch, self.components.num_candidates(self.memory_slots)), np.float32)


def nobody(count: int) -> Candidates:
    """A sample of no items."""
    return Candidates(np.zeros(count, np.int32), np.zeros(count, np.float32))
