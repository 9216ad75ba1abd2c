"""Files of past events: CSV and JSON Lines, gzip or not, to records. Knows nothing of Kafka or of pacing."""

import csv
import gzip
import io
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from models.inputs.features import CLICK, KINDS, SEARCH
from stream.client import checked_record
from stream.errors import ConfigError, EventError
from stream.records.events import EVENT_CLASS_OF_KIND, Click, Event, Purchase, Search

COLUMNS = ("ts_ms", "user_id", "session_id", "event_type", "item_id", "query", "value")
NEEDED = ("ts_ms", "user_id", "event_type")
CATEGORY_MARK = "cat:"
DEFAULT_MAPPING = {
    "click": "click",
    "pv": "click",
    "view": "click",
    "cart": "click",
    "addtocart": "click",
    "fav": "click",
    "interaction item*": "click",
    "purchase": "purchase",
    "buy": "purchase",
    "transaction": "purchase",
    "clickout item": "purchase",
    "search*": "search",
}


class EventTypeMapping:
    """Which kind of event an event type of a file is; a name that ends in `*` stands for all that begin so.

    An exact name wins over a beginning, a longer beginning over a shorter, what the operator says over the defaults.
    """

    def __init__(self, said: Mapping[str, str]) -> None:
        for event_type, kind in said.items():
            if kind not in KINDS:
                raise ConfigError(f"--map {event_type}={kind}: expected one of {', '.join(KINDS)} after the =")
        self._layers = [said, DEFAULT_MAPPING]
        self._known: dict[str, int | None] = {}

    @classmethod
    def parse(cls, pairs: tuple[str, ...]) -> "EventTypeMapping":
        """From `EVENT_TYPE=KIND` each.

        Raises:
            ConfigError: one is not of that form, or names no kind.
        """
        return cls(parse_kinds(pairs))

    def kind_of(self, event_type: str) -> int | None:
        """The kind as an index into `KINDS`; `None` when the type is not mapped."""
        if event_type not in self._known:
            self._known[event_type] = self._look_up(event_type)
        return self._known[event_type]

    def _look_up(self, event_type: str) -> int | None:
        for layer in self._layers:
            if event_type in layer:
                return KINDS.index(layer[event_type])
            beginnings = [name for name in layer if name.endswith("*") and event_type.startswith(name[:-1])]
            if beginnings:
                return KINDS.index(layer[max(beginnings, key=len)])
        return None


def parse_kinds(pairs: tuple[str, ...]) -> dict[str, str]:
    """Event types and their kinds, from `EVENT_TYPE=KIND` each.

    Raises:
        ConfigError: one is not of that form.
    """
    for pair in pairs:
        if "=" not in pair:
            raise ConfigError(f"--map {pair}: expected EVENT_TYPE=KIND, such as 'interaction item*=click'")
    return {pair.rpartition("=")[0].strip(): pair.rpartition("=")[2].strip() for pair in pairs}


@dataclass(frozen=True)
class Unmapped:
    """A line whose event type has no kind."""

    event_type: str


@dataclass(frozen=True)
class Refused:
    """A line that cannot be used, and why."""

    path: Path
    line: int
    error: EventError

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.error}"


Line = Event | Unmapped | Refused
Read = Callable[[EventTypeMapping], Event | Unmapped]
"""Reads one line; raises `EventError` where it cannot be used."""


def read_log(path: Path, mapping: EventTypeMapping) -> Iterator[Line]:
    """The lines of a file in order: `.csv` with the columns of `COLUMNS`, or `.jsonl`; `.gz` after either.

    Every event yielded is one that a worker takes.

    Raises:
        ConfigError: the file is of no known kind, lacks a column or is cut off.
    """
    suffix = (path.with_suffix("") if path.suffix == ".gz" else path).suffix
    if suffix not in (".csv", ".jsonl", ".ndjson"):
        raise ConfigError(f"{path}: expected a name that ends in .csv, .jsonl or .ndjson, or in one of them and .gz")
    rows = _csv_rows if suffix == ".csv" else _json_rows
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for line, read in rows(path, file):
                try:
                    event = read(mapping)
                    if not isinstance(event, Unmapped):
                        checked_record(event)
                except EventError as error:
                    yield Refused(path, line, error)
                else:
                    yield event
    except (OSError, EOFError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


def _csv_rows(path: Path, file: Any) -> Iterator[tuple[int, Read]]:
    with io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="") as text:
        reader = csv.reader(text)
        header = next(reader, [])
        missing = [name for name in NEEDED if name not in header]
        if missing:
            others = ",".join(name for name in COLUMNS if name not in NEEDED)
            raise ConfigError(
                f"{path} lacks the columns {', '.join(missing)}; expected {','.join(NEEDED)} and, of these, {others}"
            )
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield reader.line_num, _raising(EventError("not_csv", str(error)))
                continue
            if cells is None:
                return
            if cells:
                yield reader.line_num, partial(event_of_cells, header, cells)


def _json_rows(path: Path, file: Any) -> Iterator[tuple[int, Read]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            yield number, partial(event_of_json, line)


def _raising(error: EventError) -> Read:
    def read(mapping: EventTypeMapping) -> Event | Unmapped:
        raise error

    return read


def event_of_cells(header: list[str], cells: list[str], mapping: EventTypeMapping) -> Event | Unmapped:
    """The event in a line of CSV.

    Raises:
        EventError: a cell is missing or not what its column says.
    """
    if len(cells) != len(header):
        raise EventError("not_csv", f"expected {len(header)} cells, got {len(cells)}")
    cell = dict(zip(header, cells, strict=True))
    kind = mapping.kind_of(cell["event_type"])
    if kind is None:
        return Unmapped(cell["event_type"])
    user_id, session_id = cell["user_id"], cell.get("session_id") or None
    time_ms, item_id = _time_ms(cell["ts_ms"]), cell.get("item_id", "")
    if kind == SEARCH:  # some logs note what was found instead of what was typed
        return Search(user_id, cell.get("query") or item_id, time_ms, session_id=session_id)
    category, number = _category_or_number(cell.get("value", ""))
    if kind == CLICK:
        return Click(user_id, item_id, time_ms, session_id=session_id, category=category, value=number)
    return Purchase(user_id, item_id, time_ms, session_id=session_id, category=category, quantity=number)


def event_of_json(line: bytes, mapping: EventTypeMapping) -> Event | Unmapped:
    """The event in a line of JSON: the fields of its kind, and `kind`.

    Raises:
        EventError: it is no such object.
    """
    try:
        fields = msgspec.json.decode(line, type=dict[str, Any])
        kind = mapping.kind_of(str(fields.pop("kind", "")))
        if kind is None:
            return Unmapped(str(msgspec.json.decode(line).get("kind", "")))
        return msgspec.convert(fields, EVENT_CLASS_OF_KIND[kind])
    except msgspec.ValidationError as error:
        raise EventError("not_an_event", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EventError("not_json", str(error)) from None


def _time_ms(cell: str) -> int:
    try:
        return int(cell)
    except ValueError:
        raise EventError("not_an_event", f"expected epoch milliseconds in ts_ms, got {cell[:40]!r}") from None


def _category_or_number(cell: str) -> tuple[str | None, float | None]:
    if cell.startswith(CATEGORY_MARK):
        return cell.removeprefix(CATEGORY_MARK), None
    if not cell:
        return None, None
    try:
        number = float(cell)
    except ValueError:
        raise EventError("not_an_event", f"expected a number or cat:ID in value, got {cell[:40]!r}") from None
    if not math.isfinite(number):
        raise EventError("not_finite", f"expected a finite number in value, got {cell[:40]!r}")
    return None, number
