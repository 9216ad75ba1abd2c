"""Who reads the item vectors topic has the vectors of all items that there are, and of no others."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from aiokafka.partitioner import murmur2

from stream.flow import item_vectors
from stream.flow.item_vectors import ItemVectorFeed
from stream.flow.record_encoder import RecordEncoder
from stream.records.updates import EncodedRecord, decode_item_vector
from tests.unit.models.builders import a_learner, an_example

NUM_PARTITIONS = 8
NUM_ITEMS = 20  # that there is room for


class Topic:
    """The item vectors topic, compacted."""

    def __init__(self) -> None:
        self.vectors: dict[str, list[float]] = {}

    def take(self, records_of: Mapping[int, Sequence[EncodedRecord]]) -> None:
        """Later records of a key replace earlier ones."""
        for partition, records in records_of.items():
            for record in records:
                assert record.key is not None
                assert partition == (murmur2(record.key) & 0x7FFFFFFF) % NUM_PARTITIONS
                if record.value is None:
                    del self.vectors[record.key.decode()]  # who was never published is not buried
                else:
                    item = decode_item_vector(record.key, record.value)
                    self.vectors[item.item_id] = item.vector


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(item_vectors, "LOOKED_AT", 10)
    monkeypatch.setattr(item_vectors, "LOOKED_AT_ONCE", 3)


def a_feed(learner):
    return ItemVectorFeed(learner, RecordEncoder("json"), min_distance=0.0, num_partitions=NUM_PARTITIONS)


def live(learner, rng):
    """Two items are seen one after the other, of more than there is room for; now and then that is learned."""
    left, right = (f"item {n}" for n in rng.integers(0, NUM_ITEMS + 10, 2))
    slots = learner.resolve_items([left, right]).slots
    learner.add(an_example([int(slots[0])], slots[1]))
    if rng.random() < 0.3:
        learner.learn_batch()


@pytest.mark.parametrize("seed", range(3))
def test_items_come_go_and_come_back_between_any_two_pieces(seed):
    rng, learner, topic = np.random.default_rng(seed), a_learner(), Topic()
    feed = a_feed(learner)
    for _ in range(40):
        for _ in range(4):
            live(learner, rng)
        for records in feed.collect():
            topic.take(records)
            live(learner, rng)
            if rng.random() < 0.1:
                break  # the rest of the round is not asked for
    for _ in range(10):
        for records in feed.collect():
            topic.take(records)

    items = [learner.items.key_of(slot) for slot in range(learner.items.first, learner.items.end)]
    vectors = learner.item_vectors(learner.resolve_items(items).slots)
    assert len(items) == NUM_ITEMS
    assert topic.vectors.keys() == set(items)
    for item_id, vector in zip(items, vectors, strict=True):
        assert topic.vectors[item_id] == pytest.approx(vector, abs=1e-5)


def test_a_piece_has_few_partitions_once_they_are_known(monkeypatch):
    monkeypatch.setattr(item_vectors, "LOOKED_AT", 100)
    learner, topic = a_learner(), Topic()
    feed = a_feed(learner)
    for _ in range(2):
        slots = learner.resolve_items([f"item {n}" for n in range(NUM_ITEMS)]).slots
        for slot in slots[1:]:
            learner.add(an_example([int(slots[0])], slot))
        while learner.learn_batch():
            pass
        pieces = [*feed.collect()]
        for records in pieces:
            topic.take(records)
    seen = [partition for records in pieces for partition in sorted(records)]
    assert seen == sorted(seen)
    assert len(topic.vectors) == NUM_ITEMS
