"""What the fields of events are called elsewhere. Data only: a format is paths, and names of event types.

Sources: Segment's ecommerce spec (v2), Google Analytics 4's BigQuery export, Amazon Personalize's PutEvents, Metarank's
interaction event, CloudEvents 1.0 in its JSON form with an event of ours as the data.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from stream.errors import ConfigError

TimeUnit = Literal["s", "ms", "us"]


class EventFormat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Paths (see `paths`) to what an event of ours holds; an empty one is never there.

    Attributes:
        kinds: from event type to click, purchase or search; `TYPE*` for all that begin so. Other types are left out.
        event_type: of the event.
        user_id: whose event.
        time: when; a number in `time_unit`, or ISO 8601.
        each: a list, each element of which is an event of its own, or one object; empty for the whole object.
        event_id: makes a second delivery harmless; without it the hash of the record stands in.
    """

    kinds: Mapping[str, str]
    event_type: str
    user_id: str
    time: str
    time_unit: TimeUnit = "ms"
    each: str = ""
    item_id: str = ""
    query: str = ""
    event_id: str = ""
    session_id: str = ""
    category: str = ""
    value: str = ""
    quantity: str = ""
    price: str = ""


SEGMENT = EventFormat(
    kinds={
        "Product Clicked": "click",
        "Product Viewed": "click",
        "Product Added": "click",
        "Product Added to Wishlist": "click",
        "Order Completed": "purchase",
        "Products Searched": "search",
    },
    event_type="event",
    user_id="userId|anonymousId",
    time="timestamp|originalTimestamp|sentAt",
    each="properties.products|properties",
    item_id="@.product_id|@.productId|@.sku",
    query="properties.query",
    event_id="messageId",
    session_id="context.sessionId",
    category="@.category",
    quantity="@.quantity",
    price="@.price",
)
GA4 = EventFormat(
    kinds={
        "select_item": "click",
        "view_item": "click",
        "add_to_cart": "click",
        "add_to_wishlist": "click",
        "purchase": "purchase",
        "search": "search",
        "view_search_results": "search",
    },
    event_type="event_name",
    user_id="user_id|user_pseudo_id",
    time="event_timestamp",
    time_unit="us",
    each="items",
    item_id="@.item_id",
    query="event_params[key=search_term].value.string_value",
    session_id="event_params[key=ga_session_id].value.int_value",
    category="@.item_category",
    quantity="@.quantity",
    price="@.price",
)
PERSONALIZE = EventFormat(
    kinds={"click*": "click", "view*": "click", "watch*": "click", "purchase*": "purchase", "buy*": "purchase"},
    event_type="@.eventType",
    user_id="userId",
    time="@.sentAt",
    time_unit="s",
    each="eventList",
    item_id="@.itemId",
    event_id="@.eventId",
    session_id="sessionId",
    value="@.eventValue",
)
METARANK = EventFormat(
    kinds={"click": "click", "view": "click", "cart": "click", "purchase": "purchase", "order": "purchase"},
    event_type="type",
    user_id="user",
    time="timestamp",
    item_id="item",
    event_id="id",
    session_id="session",
)
CLOUDEVENTS = EventFormat(
    kinds={"click": "click", "purchase": "purchase", "search": "search"},
    event_type="type",
    user_id="data.user_id|subject",
    time="data.time_ms|time",
    item_id="data.item_id",
    query="data.query",
    event_id="id",
    session_id="data.session_id",
    category="data.category",
    value="data.value",
    quantity="data.quantity",
    price="data.price",
)
FORMATS = {"segment": SEGMENT, "ga4": GA4, "personalize": PERSONALIZE, "metarank": METARANK, "cloudevents": CLOUDEVENTS}


def load_format(name: str) -> EventFormat:
    """A format by name, or from a TOML file with the fields of `EventFormat`.

    Raises:
        ConfigError: there is none, or the file is no format.
    """
    if name in FORMATS:
        return FORMATS[name]
    path = Path(name)
    if path.suffix != ".toml":
        raise ConfigError(f"format {name!r}: expected one of {', '.join(FORMATS)}, or a TOML file")
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), EventFormat)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"format {name}: {error}") from error
