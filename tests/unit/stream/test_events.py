import msgspec
import pytest

from models.inputs.features import CLICK, PURCHASE, SEARCH
from stream.errors import EventError
from stream.records.events import MAX_ID_BYTES, MAX_RECORD_BYTES, decode_event, encode_event
from tests.support.builders import a_click, a_purchase, a_search


@pytest.mark.parametrize(("kind", "event"), [(CLICK, a_click()), (PURCHASE, a_purchase()), (SEARCH, a_search())])
def test_what_is_encoded_decodes_to_itself(kind, event):
    key, value = encode_event(event)

    assert decode_event(kind, key, value) == event


def test_unknown_fields_are_ignored():
    value = b'{"user_id": "u1", "item_id": "i1", "time_ms": 5, "colour": {"deep": [1]}}'

    assert decode_event(CLICK, b"u1", value).time_ms == 5


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no_value"),
        (b"", "not_json"),
        (b"{", "not_json"),
        (b'{"user_id": "u1", "item_id": "i1", "time_ms": 1, "value": NaN}', "not_json"),
        (b'{"user_id": "u1", "item_id": "\xff", "time_ms": 1}', "not_utf8"),
        (b'{"user_id": "u1", "item_id": "i1", "time_ms": 1, "x": ' + b"[" * 60_000, "not_json"),
        (b"[]", "not_an_event"),
        (b'{"user_id": "u1", "time_ms": 1}', "not_an_event"),
        (b'{"user_id": "u1", "item_id": 7, "time_ms": 1}', "not_an_event"),
        (b'{"user_id": "u1", "item_id": "", "time_ms": 1}', "not_an_event"),
        (b'{"user_id": "u1", "item_id": "i1", "time_ms": -1}', "not_an_event"),
        (b'{"user_id": "u1", "item_id": "i1", "time_ms": 1.5}', "not_an_event"),
        (b'{"user_id": "u1", "item_id": "i1", "time_ms": 1, "value": 1e999}', "not_an_event"),
        (b'{"user_id": "u1", "item_id": "i1", "time_ms": 1, "kind": "view"}', "not_an_event"),
        (b'{"user_id": "u2", "item_id": "i1", "time_ms": 1}', "wrong_key"),
        (b'{"user_id": "u1", "item_id": "i1", "time_ms": 1, "category": "' + b"x" * 900_000 + b'"}', "too_large"),
    ],
)
def test_a_record_that_cannot_be_used_says_why(value, reason):
    with pytest.raises(EventError) as refused:
        decode_event(CLICK, b"u1", value)
    assert refused.value.reason == reason


def test_a_record_may_be_as_large_as_the_limit_and_not_one_byte_more():
    head, tail = b'{"user_id": "u1", "item_id": "i1", "time_ms": 1, "category": "', b'"}'
    room = MAX_RECORD_BYTES - len(head) - len(tail)

    decode_event(CLICK, b"u1", head + b"x" * room + tail)
    with pytest.raises(EventError, match="too_large"):
        decode_event(CLICK, b"u1", head + b"x" * (room + 1) + tail)


@pytest.mark.parametrize("letter", ["x", "é", "漢"])
def test_ids_are_measured_in_bytes(letter):
    fits = letter * (MAX_ID_BYTES // len(letter.encode()))

    for user, item in ((fits, "i1"), ("u1", fits)):
        key, value = encode_event(a_click(user, item))
        decode_event(CLICK, key, value)
    for user, item in ((fits + letter, "i1"), ("u1", fits + letter)):
        key, value = encode_event(a_click(user, item))
        with pytest.raises(EventError):
            decode_event(CLICK, key, value)


@pytest.mark.parametrize("query", ["", " ", "\t\n"])
def test_a_query_needs_something_to_see(query):
    value = msgspec.json.encode({"user_id": "u1", "query": query, "time_ms": 1})

    with pytest.raises(EventError):
        decode_event(SEARCH, b"u1", value)


def test_a_record_without_a_key_is_refused():
    _, value = encode_event(a_click())

    with pytest.raises(EventError, match="wrong_key"):
        decode_event(CLICK, None, value)
