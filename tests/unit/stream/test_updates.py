import numpy as np
import pytest

from models.saving import Array
from stream.errors import EventError
from stream.flow.record_encoder import RecordEncoder
from stream.records.updates import (
    EncodedRecord,
    InterestUpdate,
    ItemVector,
    UpdateFormat,
    decode_item_vector,
    decode_update,
)
from stream.users.interests import Interests
from tests.support.records import encode_item_vector, encode_update

VECTORS = np.array([[0.6, 0.8], [1.0, 0.0]], np.float32)


def updates(update_format: UpdateFormat, uncertainty: Array | None = None) -> list[EncodedRecord]:
    encoded = RecordEncoder(update_format).updates(
        user_ids=["ann", "böb"],
        version=2**40,
        times_ms=np.array([5, 6]),
        model_step=7,
        interests=Interests(VECTORS, VECTORS[::-1], np.array([0.4, 0.4], np.float32), np.ones(2, bool), uncertainty),
        num_events=np.array([3, 4]),
    )
    return list(encoded)


@pytest.mark.parametrize("update_format", ["json", "binary"])
def test_an_update_decodes_to_what_was_encoded(update_format):
    record = updates(update_format)[1]

    assert record.key is not None
    assert record.value is not None
    update = decode_update(record.key, record.value, record.headers)

    assert (update.user_id, update.version, update.time_ms, update.model_step) == ("böb", 2**40, 6, 7)
    assert update.num_events == 4
    assert update.drift == pytest.approx(0.4, abs=1e-6)
    assert update.interest == pytest.approx([1.0, 0.0], abs=1e-6)
    assert update.long_term == pytest.approx([0.6, 0.8], abs=1e-6)


@pytest.mark.parametrize("name", ["ann", 'qu"ote', "back\\slash", "line\nbreak", "böb", "🛒", "\x00"])
@pytest.mark.parametrize("known", [None, np.array([0.25], np.float32)])
@pytest.mark.parametrize("top", [None, [[("i1", 0.5), ('i"2', 1e-7)]]])
def test_updates_made_together_are_as_each_by_itself(name, known, top):
    interests = Interests(VECTORS[:1], VECTORS[1:], np.array([1e-6], np.float32), np.ones(1, bool), known)
    numbers = {"version": 3, "model_step": 4, "top_items": top}

    (together,) = RecordEncoder("json").updates(
        user_ids=[name], times_ms=np.array([5]), interests=interests, num_events=np.array([6]), **numbers
    )

    alone = encode_update(
        InterestUpdate(
            1, name, 3, 5, 4, [0.6, 0.8], [1.0, 0.0], 1e-6, 6, top and top[0], None if known is None else 0.25
        )
    )
    assert together.key == alone.key
    assert decode_update(b"", together.value or b"") == decode_update(b"", alone.value or b"")
    (item,) = RecordEncoder("json").item_vectors([name], 9, VECTORS[:1])
    alone = encode_item_vector(ItemVector(1, name, 9, [0.6, 0.8]))
    assert decode_item_vector(b"", item.value or b"") == decode_item_vector(b"", alone.value or b"")


@pytest.mark.parametrize("update_format", ["json", "binary"])
@pytest.mark.parametrize("known", [None, [0.25, 0.75]])
def test_uncertainty_is_in_the_update_where_the_model_knows_it(update_format, known):
    record = updates(update_format, None if known is None else np.array(known, np.float32))[1]

    update = decode_update(record.key or b"", record.value or b"", record.headers)

    assert update.uncertainty == (None if known is None else known[1])
    assert (known is None) == (
        b"uncertainty" not in (record.value or b"") and "uncertainty" not in dict(record.headers)
    )


@pytest.mark.parametrize("update_format", ["json", "binary"])
def test_an_item_vector_decodes_to_what_was_encoded(update_format):
    (record,) = RecordEncoder(update_format).item_vectors(["i1"], 9, VECTORS[:1])

    assert record.key is not None
    assert record.value is not None
    item = decode_item_vector(record.key, record.value, record.headers)

    assert (item.item_id, item.model_step) == ("i1", 9)
    assert item.vector == pytest.approx([0.6, 0.8], abs=1e-6)


def test_a_binary_update_is_smaller_than_a_json_one():
    assert len(updates("binary")[0].value or b"") == 2 * 4


def test_an_unknown_schema_is_refused():
    value = updates("json")[0].value or b""

    with pytest.raises(EventError, match="unknown_schema"):
        decode_update(b"ann", value.replace(b'"schema":1', b'"schema":2'))


@pytest.mark.parametrize(("value", "headers"), [(b"{}", ()), (b"\0\0", ()), (b"\0\0\0\0", [("schema", b"x")])])
def test_what_is_no_update_is_refused(value, headers):
    with pytest.raises(EventError, match="not_an_update"):
        decode_update(b"u1", value, headers)


@pytest.mark.parametrize("value", [b'{"user_id":"\x90"}', b"[" * 100_000])
def test_bytes_that_are_no_text_or_nested_too_deeply_are_no_update(value):
    for decode in (decode_update, decode_item_vector):
        with pytest.raises(EventError):
            decode(b"u1", value)
