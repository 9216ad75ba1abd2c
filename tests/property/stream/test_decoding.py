import contextlib

from hypothesis import given
from hypothesis import strategies as st

from models.inputs.features import CLICK, KINDS, PURCHASE
from stream.errors import EventError
from stream.records.events import Click, Purchase, decode_event, encode_event

ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
times = st.integers(0, 2**53)
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@given(st.integers(0, len(KINDS) - 1), st.none() | st.binary(max_size=20), st.none() | st.binary())
def test_any_bytes_are_an_event_or_an_event_error(kind, key, value):
    with contextlib.suppress(EventError):
        decode_event(kind, key, value)


@given(st.builds(Click, user_id=ids, item_id=ids, time_ms=times, event_id=st.none() | ids, value=numbers))
def test_every_click_survives_the_round_trip(click):
    assert decode_event(CLICK, *encode_event(click)) == click


@given(st.builds(Purchase, user_id=ids, item_id=ids, time_ms=times, quantity=numbers, price=numbers))
def test_every_purchase_survives_the_round_trip(purchase):
    assert decode_event(PURCHASE, *encode_event(purchase)) == purchase
