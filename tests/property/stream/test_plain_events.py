import json
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.inputs.features import CLICK, KINDS, PURCHASE, SEARCH
from stream.errors import EventError
from stream.flow.decoded_events import DecodedEvents
from stream.records.events import MAX_ID_BYTES, decode_event, encode_event
from stream.records.plain_events import PlainEvents
from tests.support.batches import fetched
from tests.support.builders import a_click, a_purchase, a_search

NO_LIMIT_MS = 2**62

kinds = st.integers(0, len(KINDS) - 1)
names = st.sampled_from([
    "user_id", "item_id", "query", "time_ms", "event_id", "session_id", "category", "value", "quantity", "price",
    "kind", "colour", "user_i", "user_id2", "",
])  # fmt: skip
plain = st.sampled_from([
    '"u"', '"i 1"', '"é"', '"漢 字"', '"😀"', '"click"', '"search"', "null", "0", "-0", "7", "-7", "1.5", "1.50", "0.1",
])  # fmt: skip
odd = st.sampled_from([
    '""', '" "', '"a\\"b"', '"\\u0061"', '"\u3000"', '"\xa0"', '"\x7f"', '"\n"', "nul", "true", "[]", "{}", "NaN", "",
    "00", "-.5", "1.", "1e3", "123456789012345", "1234567890123456", "0.12345678901234", "0.123456789012345",
    "9007199254740993", f'"{"x" * MAX_ID_BYTES}"', f'"{"x" * (MAX_ID_BYTES + 1)}"',
])  # fmt: skip
values = plain | plain | plain | odd
spaces = st.sampled_from([*[""] * 20, " ", "  ", "\n"])
members = st.tuples(spaces, names, spaces, spaces, values, spaces).map(
    lambda parts: f'{parts[0]}"{parts[1]}"{parts[2]}:{parts[3]}{parts[4]}{parts[5]}'
)
own = {
    CLICK: ['"user_id":"u"', '"item_id":"i"', '"time_ms":5'],
    PURCHASE: ['"user_id":"u"', '"item_id":"i"', '"time_ms":5'],
    SEARCH: ['"user_id":"u"', '"query":"red shoes"', '"time_ms":5'],
}


@st.composite
def almost_events(draw: st.DrawFn) -> tuple[int, bytes | None, bytes | None]:
    """A kind, a key and a value that is nearly that of an event."""
    kind = draw(kinds)
    some = draw(st.permutations([*own[kind], *draw(st.lists(members, max_size=3))]))
    left_out = draw(st.integers(0, 15))
    brackets = draw(st.sampled_from([*["{%s}"] * 10, " {%s}", "{%s,}", "{%s", "[%s]"]))
    value = (brackets % ",".join(member for at, member in enumerate(some) if at != left_out)).encode()
    if not draw(st.integers(0, 3)):
        at = draw(st.integers(0, len(value) - 1))
        value = value[:at] + draw(st.binary(max_size=1)) + value[at + 1 :]
    key = draw(st.sampled_from([*[b"u"] * 10, b"", b"v", b"uu", None]))
    return kind, key, value if draw(st.integers(0, 20)) else None


def decoded(kind: int, records: list[tuple[bytes | None, bytes | None]]) -> list[object] | None:
    """What is in the columns of the events that are decoded one by one; None where one is none."""
    try:
        return columns(DecodedEvents.of([decode_event(kind, key, value) for key, value in records]))
    except EventError:
        return None


def columns(events: DecodedEvents) -> list[object]:
    """To the bit: how its record was fetched changes nothing of an event."""
    return [column.tobytes() if isinstance(column, np.ndarray) else list(column) for column in astuple(events)]


@given(almost_events())
@example((CLICK, b"u", b'{"user_id":"u","item_id":"i","time_ms":5,"value":-0}'))
@example((PURCHASE, b"u", b'{"user_id":"u","item_id":"i","time_ms":5,"quantity":-0}'))
def test_what_is_read_as_plain_is_what_is_decoded(almost):
    kind, *record = almost
    plain = PlainEvents.of(kind, fetched([tuple(record)]), NO_LIMIT_MS)
    if plain is not None:
        assert columns(DecodedEvents.of_plain(plain)) == decoded(kind, [tuple(record)])


@given(kinds, st.lists(st.tuples(st.none() | st.just(b"u"), st.none() | st.binary()), min_size=1))
def test_no_bytes_are_read_as_what_they_are_not(kind, records):
    plain = PlainEvents.of(kind, fetched(records), NO_LIMIT_MS)
    if plain is not None:
        assert columns(DecodedEvents.of_plain(plain)) == decoded(kind, records)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(-1e9, 1e9))
def test_numbers_are_read_to_the_bit(quantity, price):
    for text in (f"{quantity!r}", f"{quantity:.3f}", f"{quantity:.0f}"):
        value = f'{{"user_id":"u","item_id":"i","time_ms":5,"quantity":{text},"price":{price:.2f}}}'.encode()
        plain = PlainEvents.of(PURCHASE, fetched([(b"u", value)]), NO_LIMIT_MS)
        if plain is not None:
            assert columns(DecodedEvents.of_plain(plain)) == decoded(PURCHASE, [(b"u", value)])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (CLICK, encode_event(a_click("u", event_id="e-7"))[1]),
        (CLICK, json.dumps({"user_id": "u", "item_id": "i", "time_ms": 5, "value": 1.25, "kind": "click"}).encode()),
        (CLICK, b'{ "colour":"red" , "size":7,"item_id":"i","time_ms":5,"user_id":"u","of":null }'),
        (PURCHASE, encode_event(a_purchase("u", price=19.99))[1]),
        (PURCHASE, b'{"user_id":"u","item_id":"i","time_ms":5,"quantity":-2,"price":null,"session_id":"s"}'),
        (SEARCH, encode_event(a_search("u", "red shoes, 42"))[1]),
        (SEARCH, b'{"user_id":"u","query":"red","time_ms":5,"category":"shoes","value":3}'),
    ],
)
def test_what_producers_send_is_plain(kind, value):
    plain = PlainEvents.of(kind, fetched([(b"u", value)] * 3), NO_LIMIT_MS)

    assert plain is not None
    assert columns(DecodedEvents.of_plain(plain)) == decoded(kind, [(b"u", value)] * 3)


@given(st.binary(max_size=6), st.sampled_from(["item_id", "event_id", "category", "colour"]))
@example(b"\xed\xa0\x80", "item_id")  # half of a surrogate pair
@example(b"\xf4\x90\x80\x80", "event_id")  # beyond the last character
def test_texts_are_utf_8(bytes_, name):
    value = b'{"user_id":"u","time_ms":5,"item_id":"i","%b":"%b"}' % (name.encode(), bytes_)
    value = value.replace(b'"item_id":"i",', b"") if name == "item_id" else value
    plain = PlainEvents.of(CLICK, fetched([(b"u", value)]), NO_LIMIT_MS)
    if plain is not None:
        assert columns(DecodedEvents.of_plain(plain)) == decoded(CLICK, [(b"u", value)])


@pytest.mark.parametrize("first", range(0, 0x110000, 0x1000))
def test_every_character_may_stand_in_a_text_and_a_query_of_spaces_is_none(first):
    characters = [chr(number) for number in range(max(first, 0x80), first + 0x1000) if not 0xD800 <= number < 0xE000]
    clicks = [encode_event(a_click("u", item=character)) for character in characters]
    if clicks:
        plain = PlainEvents.of(CLICK, fetched(clicks), NO_LIMIT_MS)
        assert plain is not None
        assert DecodedEvents.of_plain(plain).subjects == characters
    for space in filter(str.isspace, characters):
        assert PlainEvents.of(SEARCH, fetched([encode_event(a_search("u", space))]), NO_LIMIT_MS) is None


@pytest.mark.parametrize("query", ["red", "é", "ж", "漢", "すし", "ー", "😀", "\u2003x"])
def test_a_query_may_be_of_any_alphabet(query):
    plain = PlainEvents.of(SEARCH, fetched([encode_event(a_search("u", query))]), NO_LIMIT_MS)

    assert plain is not None
    assert DecodedEvents.of_plain(plain).subjects == [query]


def test_an_event_from_the_future_is_not_plain():
    record = encode_event(a_click("u", time_ms=1_000))

    assert PlainEvents.of(CLICK, fetched([record], time_ms=900), max_future_ms=100) is not None
    assert PlainEvents.of(CLICK, fetched([record], time_ms=899), max_future_ms=100) is None
