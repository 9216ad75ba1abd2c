"""Record bytes to Click, Purchase and Search and back. Knows nothing of Kafka, windows or time."""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from models.inputs.features import CLICK, PURCHASE, SEARCH
from stream.errors import EventError

MAX_ID_BYTES = 256
MAX_QUERY_BYTES = 4_096
MAX_RECORD_BYTES = 65_536  # an event is a few hundred bytes; more is a mistake and would stall its partition

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_BYTES, description="non-empty, at most 256 bytes of UTF-8")]
EpochMs = Annotated[int, Meta(ge=0, le=2**53, description="event time, epoch milliseconds")]


class Click(msgspec.Struct, omit_defaults=True, gc=False):
    """A user looked at an item."""

    user_id: Id
    item_id: Id
    time_ms: EpochMs
    event_id: Id | None = None
    session_id: Id | None = None
    category: str | None = None
    value: Annotated[float, Meta(description="dwell seconds, scroll depth, …; finite")] | None = None
    kind: Literal["click"] | UnsetType = UNSET


class Purchase(msgspec.Struct, omit_defaults=True, gc=False):
    """A user bought an item."""

    user_id: Id
    item_id: Id
    time_ms: EpochMs
    event_id: Id | None = None
    session_id: Id | None = None
    category: str | None = None
    quantity: Annotated[float, Meta(description="finite; negative for a return")] | None = None
    price: Annotated[float, Meta(description="per piece, finite")] | None = None
    kind: Literal["purchase"] | UnsetType = UNSET


class Search(msgspec.Struct, omit_defaults=True, gc=False):
    """A user searched."""

    user_id: Id
    query: Annotated[str, Meta(min_length=1, max_length=MAX_QUERY_BYTES, description="not blank")]
    time_ms: EpochMs
    event_id: Id | None = None
    session_id: Id | None = None
    kind: Literal["search"] | UnsetType = UNSET


Event = Click | Purchase | Search

EVENT_CLASS_OF_KIND: dict[int, type[Event]] = {CLICK: Click, PURCHASE: Purchase, SEARCH: Search}
KIND_OF_EVENT_CLASS = {cls: kind for kind, cls in EVENT_CLASS_OF_KIND.items()}

_encode = msgspec.json.Encoder().encode


def encode_event(event: Event) -> tuple[bytes, bytes]:
    """The key and value of an event's record."""
    return event.user_id.encode(), _encode(event)


def decode_event(kind: int, key: bytes | None, value: bytes | None) -> Event:
    """The event in a record of the topic of `kind`.

    Raises:
        EventError: the record cannot be used; its reason is one of `no_value`, `too_large`, `not_utf8`, `not_json`,
            `not_an_event`, `wrong_key`, `id_too_long`, `blank_query`, `not_finite`.
    """
    decode, check = _of_kind[kind]
    if value is None:
        raise EventError("no_value", "expected a JSON object, got a record without a value")
    if len(value) > MAX_RECORD_BYTES:
        raise EventError("too_large", f"expected at most {MAX_RECORD_BYTES} bytes, got {len(value)}")
    try:
        event = decode(value)
    except msgspec.ValidationError as error:
        raise EventError("not_an_event", str(error)) from None
    except msgspec.DecodeError as error:
        raise EventError("not_json", str(error)) from None
    except RecursionError:
        raise EventError("not_json", "expected a flat JSON object, got one nested too deeply to read") from None
    except UnicodeDecodeError as error:
        raise EventError("not_utf8", str(error)) from None
    if key is None or key != event.user_id.encode():
        raise EventError(
            "wrong_key", f"expected the user id {event.user_id[:40]!r} as the key, got {(key or b'')[:40]!r}"
        )
    if len(key) > MAX_ID_BYTES:
        raise EventError("id_too_long", f"user_id has {len(key)} bytes, at most {MAX_ID_BYTES} are allowed")
    check(event)
    return event


# Each raises for what a JSON schema cannot say of an event of its kind.


def _check_click(event: Click) -> None:
    _check_item_id(event.item_id)
    _check_finite(event.value)


def _check_purchase(event: Purchase) -> None:
    _check_item_id(event.item_id)
    _check_finite(event.quantity)
    _check_finite(event.price)


def _check_search(event: Search) -> None:
    if event.query.isspace():
        raise EventError("blank_query", "expected a query with at least one visible character")


def _check_item_id(item_id: str) -> None:
    if len(item_id) > MAX_ID_BYTES // 4 and len(item_id.encode()) > MAX_ID_BYTES:
        raise EventError("id_too_long", f"item_id has more than {MAX_ID_BYTES} bytes")


def _check_finite(number: float | None) -> None:
    if number is not None and not math.isfinite(number):
        raise EventError("not_finite", f"expected finite numbers, got {number}")


_checks: dict[int, Callable[[Any], None]] = {CLICK: _check_click, PURCHASE: _check_purchase, SEARCH: _check_search}
_of_kind = {kind: (msgspec.json.Decoder(cls).decode, _checks[kind]) for kind, cls in EVENT_CLASS_OF_KIND.items()}
