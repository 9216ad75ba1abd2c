"""Many interest updates or item vectors at once, as records in the format that the settings ask for. Pure."""

from collections.abc import Sequence
from typing import cast

from models.saving import Array
from stream.flow.top_items import TopItems
from stream.records.updates import (
    SCHEMA_VERSION,
    EncodedRecord,
    InterestUpdate,
    ItemVector,
    UpdateFormat,
    encode_item_vector,
    encode_item_vector_binary,
    encode_update,
    encode_update_binary,
    json_vectors,
)
from stream.users.interests import Interests


class RecordEncoder:
    """Encodes whole micro-batches."""

    def __init__(self, update_format: UpdateFormat) -> None:
        self._is_binary = update_format == "binary"

    def updates(
        self,
        *,
        user_ids: Sequence[str] | Array,
        version: int,
        times_ms: Array,
        model_step: int,
        interests: Interests,
        num_events: Array,
        top_items: Sequence[TopItems] | None = None,
    ) -> list[EncodedRecord]:
        """A record for each of `[n]` users, in order; all of them have the same `version` and `model_step`."""
        lists = [None] * len(user_ids) if top_items is None else top_items
        short_term, long_term = self._lists(interests.short_term), self._lists(interests.long_term)
        columns = zip(
            user_ids,
            times_ms.tolist(),
            short_term,
            long_term,
            interests.drift.tolist(),
            num_events.tolist(),
            lists,
            _rounded_or_none(interests.uncertainty, len(times_ms)),
            strict=True,
        )
        updates = [
            InterestUpdate(
                SCHEMA_VERSION,
                user_id,
                version,
                time_ms,
                model_step,
                short,
                long,
                round(drift, 6),
                count,
                top,
                uncertainty,
            )
            for user_id, time_ms, short, long, drift, count, top, uncertainty in columns
        ]
        if not self._is_binary:
            return [encode_update(update) for update in updates]
        vectors = zip(updates, interests.short_term, interests.long_term, strict=True)
        return [encode_update_binary(update, short, long) for update, short, long in vectors]

    def item_vectors(self, item_ids: Sequence[str], model_step: int, vectors: Array) -> list[EncodedRecord]:
        """A record for each of `[n]` items; `vectors`: `[n, dim]` float32."""
        lists = self._lists(vectors)
        items = [ItemVector(SCHEMA_VERSION, item_id, model_step, v) for item_id, v in zip(item_ids, lists, strict=True)]
        if not self._is_binary:
            return [encode_item_vector(item) for item in items]
        return [encode_item_vector_binary(item, vector) for item, vector in zip(items, vectors, strict=True)]

    def _lists(self, vectors: Array) -> list[list[float]]:
        """Lists that are JSON already; nothing for binary, which takes the arrays."""
        return [[] for _ in vectors] if self._is_binary else cast(list[list[float]], json_vectors(vectors))


def _rounded_or_none(values: Array | None, count: int) -> list[float] | list[None]:
    return [None] * count if values is None else [round(value, 6) for value in values.tolist()]
