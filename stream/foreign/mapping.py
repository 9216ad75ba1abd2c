"""Foreign records to our events: one record is none, one or several of them. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import xxhash

from models.inputs.features import CLICK, PURCHASE, SEARCH
from stream.errors import EventError
from stream.event_logs import EventTypeMapping
from stream.foreign.formats import EventFormat
from stream.foreign.paths import Read, compile_path
from stream.records.events import EVENT_CLASS_OF_KIND, Event, decode_event, encode_event

MS_PER_UNIT = {"s": 1_000.0, "ms": 1.0, "us": 0.001}
FIELDS_OF_KIND = {
    CLICK: ("item_id", "category", "value"),
    PURCHASE: ("item_id", "category", "quantity", "price"),
    SEARCH: ("query",),
}
NUMBERS = ("value", "quantity", "price")
OWN = ("event_type", "user_id", "time", "each", "event_id", "session_id")


class EventMapper:
    """Reads the records of one format.

    Args:
        of: the format.
        kinds: more event types and their kinds; they win over the format's.

    Raises:
        ConfigError: the format's paths or kinds are none.
    """

    def __init__(self, of: EventFormat, kinds: dict[str, str] | None = None) -> None:
        self._has_id_each = of.event_id.startswith("@.")
        self._ms_per_unit = MS_PER_UNIT[of.time_unit]
        self._kinds = EventTypeMapping({**of.kinds, **(kinds or {})})
        names = {*OWN, *(name for fields in FIELDS_OF_KIND.values() for name in fields)}
        self._read: dict[str, Read] = {name: compile_path(path) for name in names if (path := getattr(of, name))}

    def events(self, value: bytes | None) -> list[Event]:
        """The events in a record; none where its type has no kind.

        Raises:
            EventError: it cannot be used; none of its events can.
        """
        try:
            whole = msgspec.json.decode(value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise EventError("not_json", str(error)) from None
        if not isinstance(whole, dict):
            raise EventError("not_an_event", f"expected a JSON object, got {type(whole).__name__}")
        fallback_id = xxhash.xxh3_64_hexdigest(value or b"")
        return list(self._events(whole, fallback_id))

    def _events(self, whole: dict[str, Any], fallback_id: str) -> Iterator[Event]:
        found = self._get("each", whole, whole)
        elements = found if isinstance(found, list) else [found or whole]
        for number, element in enumerate(elements):
            kind = self._kinds.kind_of(str(self._get("event_type", whole, element)))
            if kind is None:
                continue
            own = self._get("event_id", whole, element)
            event_id = fallback_id if own is None else str(own)
            is_shared = number > 0 and not (own is not None and self._has_id_each)
            yield self._event(kind, whole, element, f"{event_id}/{number}" if is_shared else event_id)
            if kind == SEARCH:  # what was found with it are no searches
                return

    def _event(self, kind: int, whole: Any, element: Any, event_id: str) -> Event:
        user_id = self._get("user_id", whole, element)
        fields: dict[str, Any] = {"user_id": _text(user_id), "event_id": event_id}
        fields["time_ms"] = self._time_ms(self._get("time", whole, element))
        fields["session_id"] = _text(self._get("session_id", whole, element))
        for name in FIELDS_OF_KIND[kind]:
            value = self._get(name, whole, element)
            fields[name] = _number(name, value) if name in NUMBERS else _text(value)
        try:
            event = msgspec.convert(
                {name: value for name, value in fields.items() if value is not None}, EVENT_CLASS_OF_KIND[kind]
            )
        except msgspec.ValidationError as error:
            raise EventError("not_an_event", str(error)) from None
        return decode_event(kind, *encode_event(event))  # as strict as the worker that will read it

    def _get(self, name: str, whole: Any, element: Any) -> Any:
        return self._read[name](whole, element) if name in self._read else None

    def _time_ms(self, value: Any) -> int | None:
        if value is None or isinstance(value, bool):
            return None
        try:
            return round(float(value) * self._ms_per_unit)
        except (TypeError, ValueError, OverflowError):
            return _iso_ms(str(value))


def _iso_ms(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise EventError("not_an_event", f"expected a number or ISO 8601 as the time, got {text[:40]!r}") from None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise EventError("not_an_event", f"expected text or a whole number, got {str(value)[:40]!r}")


def _number(name: str, value: Any) -> float | None:
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise EventError("not_an_event", f"expected a number as {name}, got {str(value)[:40]!r}") from None
