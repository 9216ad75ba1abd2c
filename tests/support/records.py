"""Records of single updates and item vectors: as JSON by definition, as binary by what makes those of a worker."""

import msgspec
import numpy as np

from stream.flow.record_encoder import RecordEncoder
from stream.records.updates import EncodedRecord, InterestUpdate, ItemVector
from stream.users.interests import Interests

_encoder = RecordEncoder("binary")


def encode_update(update: InterestUpdate) -> EncodedRecord:
    """An update as a JSON record."""
    return EncodedRecord(update.user_id.encode(), msgspec.json.encode(update))


def encode_item_vector(item: ItemVector) -> EncodedRecord:
    """An item vector as a JSON record."""
    return EncodedRecord(item.item_id.encode(), msgspec.json.encode(item))


def binary_update(update: InterestUpdate) -> EncodedRecord:
    """The update as a worker that is told `update_format=binary` sends it."""
    short_term, long_term = np.array([update.interest], np.float32), np.array([update.long_term], np.float32)
    (record,) = _encoder.updates(
        user_ids=[update.user_id],
        version=update.version,
        times_ms=np.array([update.time_ms]),
        model_step=update.model_step,
        interests=Interests(short_term, long_term, np.array([update.drift], np.float32), np.ones(1, bool)),
        num_events=np.array([update.num_events]),
        top_items=None if update.top_items is None else [update.top_items],
    )
    return record


def binary_item_vector(item: ItemVector) -> EncodedRecord:
    """The same of an item vector."""
    (record,) = _encoder.item_vectors([item.item_id], item.model_step, np.array([item.vector], np.float32))
    return record
