"""Which item vectors are published, and when. Runs on the model thread only."""

from collections import defaultdict

import numpy as np
from aiokafka.partitioner import murmur2

from models.learner import OnlineLearner
from models.saving import Array
from stream.flow.record_encoder import RecordEncoder
from stream.records.updates import EncodedRecord

PUBLISHED_AT_ONCE = 2_048  # items looked at in one call: about 10 ms of encoding, so that updates need not wait long


class ItemVectorFeed:
    """Publishes the vectors of items that have moved since they were last published.

    What was published is not saved: after a restart every item counts as moved and is published once more.

    Args:
        learner: says which items were touched, and where they are now.
        encoder: makes the records.
        min_distance: cosine distance below which a move is not worth a record.
        num_partitions: of the topic.
    """

    def __init__(
        self, learner: OnlineLearner, encoder: RecordEncoder, *, min_distance: float, num_partitions: int
    ) -> None:
        self._learner = learner
        self._encoder = encoder
        self._min_distance = min_distance
        self._num_partitions = num_partitions
        self._published = np.zeros((learner.items.num_rows, learner.config.dim), np.float32)
        self._published_ids: dict[int, str] = {}
        self._is_published = np.zeros(learner.items.num_rows, bool)
        self._waiting = np.arange(learner.items.first, learner.items.end, dtype=np.int32)

    def collect(self) -> dict[int, list[EncodedRecord]]:
        """Records by partition for items that moved; at most `PUBLISHED_AT_ONCE` are looked at, the rest next time."""
        touched = self._learner.take_touched_items()
        waiting = np.union1d(self._waiting, touched[self._learner.items.is_target(touched)])
        now, self._waiting = waiting[:PUBLISHED_AT_ONCE], waiting[PUBLISHED_AT_ONCE:]
        vectors = self._learner.item_vectors(now)
        ids = [self._item_id(slot) for slot in now.tolist()]
        similarity = np.einsum("nd,nd->n", vectors, self._published[now])
        is_same_item = np.array([self._published_ids.get(s) == i for s, i in zip(now.tolist(), ids, strict=True)], bool)
        moved = np.flatnonzero((1 - similarity >= self._min_distance) | ~is_same_item)
        records = self._tombstones(now[~is_same_item]) + self._publish(
            now[moved], [ids[i] for i in moved], vectors[moved]
        )
        return self._by_partition(records)

    def nearest(self, vector: Array, k: int) -> list[tuple[str, float]]:
        """The `k` published items nearest to `vector` `[dim]`, the nearest first, and their dot products.

        From what was published, a second old at the most; of 100,000 items in about 2 ms.
        """
        end = self._learner.items.end
        products = np.einsum("nd,d->n", self._published[:end], vector)  # one core: BLAS would wait for busy ones
        scores = np.where(self._is_published[:end], products, -np.inf)
        best = np.argpartition(-scores, k)[:k] if k < end else np.arange(end)
        ordered = best[np.argsort(-scores[best], kind="stable")].tolist()
        return [(self._published_ids[slot], float(scores[slot])) for slot in ordered if self._is_published[slot]]

    def _publish(self, slots: Array, ids: list[str | None], vectors: Array) -> list[EncodedRecord]:
        known = [i for i, item_id in enumerate(ids) if item_id is not None]
        item_ids = [item_id for item_id in ids if item_id is not None]
        self._published[slots[known]] = vectors[known]
        self._is_published[slots[known]] = True
        self._published_ids.update(zip(slots[known].tolist(), item_ids, strict=True))
        return self._encoder.item_vectors(item_ids, self._learner.model_step, vectors[known])

    def _tombstones(self, slots: Array) -> list[EncodedRecord]:
        """For the items that held these slots before."""
        self._is_published[slots] = False
        gone = [self._published_ids.pop(slot) for slot in slots.tolist() if slot in self._published_ids]
        return [EncodedRecord(item_id.encode(), None) for item_id in gone]

    def _by_partition(self, records: list[EncodedRecord]) -> dict[int, list[EncodedRecord]]:
        by_partition: dict[int, list[EncodedRecord]] = defaultdict(list)
        for record in records:
            by_partition[(murmur2(record.key) & 0x7FFFFFFF) % self._num_partitions].append(record)
        return by_partition

    def _item_id(self, slot: int) -> str | None:
        try:
            return self._learner.items.key_of(slot)
        except KeyError:
            return None
