"""Which item vectors are published, and when. Runs on the model thread only."""

from collections.abc import Iterator, Sequence

import numpy as np
from aiokafka.partitioner import murmur2

from models.learner import OnlineLearner
from models.saving import Array
from stream.flow.record_encoder import RecordEncoder
from stream.records.packed_records import PackedRecords, by_partition
from stream.records.updates import EncodedRecord

LOOKED_AT = 2_048  # items of a round
LOOKED_AT_ONCE = 256  # about 3 ms, so that updates need not wait long
NOT_KNOWN = -1


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
        self._published_in: dict[str, int] = {}
        self._is_published = np.zeros(learner.items.num_rows, bool)
        self._partitions = np.full(learner.items.num_rows, NOT_KNOWN, np.int32)
        self._waiting = np.arange(learner.items.first, learner.items.end, dtype=np.int32)

    def collect(self) -> Iterator[dict[int, PackedRecords]]:
        """A round: records by partition for items that moved, in pieces that have few partitions each.

        At most `LOOKED_AT` items are looked at; the rest, and what no piece was asked for, next time.
        """
        touched = self._learner.take_touched_items()
        self._waiting = np.union1d(self._waiting, touched[self._learner.items.is_target(touched)])
        first = self._waiting[:LOOKED_AT]
        first[:] = first[np.argsort(self._partitions[first], kind="stable")]
        for _ in range(0, len(first), LOOKED_AT_ONCE):
            now, self._waiting = np.split(self._waiting, [LOOKED_AT_ONCE])
            yield self._collected(now)

    def _collected(self, slots: Array) -> dict[int, PackedRecords]:
        vectors = self._learner.item_vectors(slots)
        ids = [name or None for name in self._learner.items.names_of(slots)]
        similarity = np.einsum("nd,nd->n", vectors, self._published[slots])
        is_same_item = np.array([self._is_there(*item) for item in zip(slots.tolist(), ids, strict=True)], bool)
        moved = np.flatnonzero((1 - similarity >= self._min_distance) | ~is_same_item)
        tombstones = list(self._bury(slots[~is_same_item]))
        known = [i for i in moved.tolist() if ids[i] is not None]
        return self._publish(slots[known], [ids[i] or "" for i in known], vectors[known], tombstones)

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

    def _publish(
        self, slots: Array, item_ids: list[str], vectors: Array, tombstones: Sequence[tuple[int, EncodedRecord]]
    ) -> dict[int, PackedRecords]:
        self._published[slots] = vectors
        self._is_published[slots] = True
        self._published_ids.update(zip(slots.tolist(), item_ids, strict=True))
        self._published_in.update(zip(item_ids, slots.tolist(), strict=True))
        for slot in slots[self._partitions[slots] == NOT_KNOWN].tolist():
            self._partitions[slot] = self._partition_of(self._published_ids[slot])
        order = np.argsort(self._partitions[slots], kind="stable")
        in_order = [item_ids[i] for i in order]
        records = self._encoder.item_vectors(in_order, self._learner.model_step, vectors[order])
        return by_partition(self._partitions[slots[order]], records, tombstones)

    def _bury(self, slots: Array) -> Iterator[tuple[int, EncodedRecord]]:
        """Tombstones for the items that held these slots before, unless they were published in others since."""
        self._is_published[slots] = False
        for slot in slots.tolist():
            gone = self._published_ids.pop(slot, None)
            if gone is not None and self._published_in.get(gone) == slot:
                del self._published_in[gone]
                yield int(self._partitions[slot]), EncodedRecord(gone.encode(), None)
        self._partitions[slots] = NOT_KNOWN

    def _is_there(self, slot: int, item_id: str | None) -> bool:
        """This item was published last from this slot, and from no other since; or both are nothing."""
        published = self._published_ids.get(slot)
        return published == item_id and (item_id is None or self._published_in.get(item_id) == slot)

    def _partition_of(self, item_id: str) -> int:
        return int((murmur2(item_id.encode()) & 0x7FFFFFFF) % self._num_partitions)
