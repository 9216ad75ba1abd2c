import json
from pathlib import Path

import pytest

from stream.errors import ConfigError, EventError
from stream.foreign.formats import FORMATS, load_format
from stream.foreign.mapping import EventMapper
from stream.records.events import Click, Purchase, Search

SEGMENT_ORDER = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m1",
    "userId": "ann",
    "timestamp": "2026-01-01T00:00:01.500Z",
    "properties": {"products": [{"product_id": 7, "price": 2.5, "quantity": 2}, {"sku": "s8", "category": "shoes"}]},
}
GA4_SEARCH = {
    "event_name": "view_search_results",
    "event_timestamp": 1_767_225_601_500_000,
    "user_pseudo_id": "a.b",
    "event_params": [{"key": "page", "value": {}}, {"key": "search_term", "value": {"string_value": "red shoes"}}],
    "items": [{"item_id": "i1"}, {"item_id": "i2"}],
}
PERSONALIZE_VIEWS = {
    "trackingId": "t",
    "userId": "ann",
    "sessionId": "s",
    "eventList": [
        {"eventId": "e1", "eventType": "View", "itemId": "i1", "sentAt": 1_767_225_601.5, "eventValue": 3},
        {"eventId": "e2", "eventType": "purchase", "itemId": "i1", "sentAt": 1_767_225_602},
    ],
}
METARANK_CLICK = {
    "event": "interaction",
    "id": "x1",
    "timestamp": "1767225601500",
    "user": "ann",
    "session": "s",
    "type": "click",
    "item": "i1",
}
CLOUD_EVENT = {
    "specversion": "1.0",
    "type": "click",
    "id": "c1",
    "source": "/shop",
    "subject": "ann",
    "time": "2026-01-01T00:00:01.5+00:00",
    "data": {"item_id": "i1", "value": 12},
}
AT_MS = 1_767_225_601_500


def mapped(name: str, record: object, **kinds: str) -> list[object]:
    return list(EventMapper(load_format(name), kinds).events(json.dumps(record).encode()))


def test_an_order_of_segment_is_a_purchase_for_each_product():
    assert mapped("segment", SEGMENT_ORDER) == [
        Purchase("ann", "7", AT_MS, event_id="m1", price=2.5, quantity=2.0),
        Purchase("ann", "s8", AT_MS, event_id="m1/1", category="shoes"),
    ]


def test_a_search_of_ga4_is_one_search_whatever_it_found():
    (search,) = mapped("ga4", GA4_SEARCH)

    assert isinstance(search, Search)
    assert (search.user_id, search.query, search.time_ms) == ("a.b", "red shoes", AT_MS)


def test_events_of_personalize_have_a_type_and_an_id_each():
    kinds = {"View": "click"}

    assert mapped("personalize", PERSONALIZE_VIEWS, **kinds) == [
        Click("ann", "i1", AT_MS, event_id="e1", session_id="s", value=3.0),
        Purchase("ann", "i1", AT_MS + 500, event_id="e2", session_id="s"),
    ]


def test_an_interaction_of_metarank_is_a_click():
    assert mapped("metarank", METARANK_CLICK) == [Click("ann", "i1", AT_MS, event_id="x1", session_id="s")]


def test_a_cloud_event_carries_an_event_of_ours():
    assert mapped("cloudevents", CLOUD_EVENT) == [Click("ann", "i1", AT_MS, event_id="c1", value=12.0)]


@pytest.mark.parametrize("name", FORMATS)
def test_a_record_of_another_type_has_no_events(name):
    assert mapped(name, {"event": "Page Viewed", "event_name": "scroll", "type": "ranking"}) == []


def test_a_record_without_an_id_gets_the_same_one_whenever_it_is_read():
    record = {name: value for name, value in METARANK_CLICK.items() if name != "id"}

    first, again = mapped("metarank", record), mapped("metarank", record)
    (other,) = mapped("metarank", record | {"item": "i2"})

    assert first == again
    assert isinstance(first[0], Click)
    assert isinstance(other, Click)
    assert first[0].event_id
    assert first[0].event_id != other.event_id


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"timestamp": "soon"}, "ISO 8601"),
        ({"item": None}, "item_id"),
        ({"user": ""}, "user_id"),
        ({"user": []}, "text"),
    ],
)
def test_a_record_that_lacks_what_an_event_needs_is_refused_and_says_what(change, says):
    with pytest.raises(EventError, match=says):
        mapped("metarank", METARANK_CLICK | change)


def test_a_file_describes_any_other_format(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'event_type = "what"\nuser_id = "who.id"\ntime = "at"\ntime_unit = "s"\nitem_id = "thing"\n'
        '[kinds]\nseen = "click"\n'
    )

    (click,) = mapped(str(path), {"what": "seen", "who": {"id": 5}, "at": 2, "thing": "i1"})

    assert isinstance(click, Click)
    assert (click.user_id, click.item_id, click.time_ms) == ("5", "i1", 2_000)


@pytest.mark.parametrize("text", ["user_id = 3", "x = 1", "{", 'event_type="a..b"\nuser_id="u"\ntime="t"\nkinds={}'])
def test_a_file_that_is_no_format_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "mine.toml"
    path.write_text(text)

    with pytest.raises(ConfigError):
        EventMapper(load_format(str(path)))


def test_an_unknown_format_is_refused_with_those_that_are_known():
    with pytest.raises(ConfigError, match="segment, ga4, personalize, metarank"):
        load_format("kafka")
