"""Interest updates and item vectors: their records, both ways. Knows nothing of Kafka clients or of the model."""

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import msgspec
import numpy as np

from stream.errors import EventError
from stream.records.json_objects import JSON_DECIMALS

SCHEMA_VERSION = 1

Headers = Sequence[tuple[str, bytes]]
UpdateFormat = Literal["json", "binary"]
T = TypeVar("T", "InterestUpdate", "ItemVector")


class InterestUpdate(msgspec.Struct, omit_defaults=True, gc=False):
    """Where a user's interest is now.

    Attributes:
        schema: version of this record's layout.
        version: grows with every update of a user; drop what is not newer than what you have.
        time_ms: event time of the user's newest event.
        model_step: learning steps behind the vector.
        interest: `[dim]` float32 of length 1; its dot product with an item vector is the cosine the model ranks by.
        long_term: `[dim]` float32 of length 1, the low-pass filtered interest.
        drift: `1 - cos(interest, long_term)`, in [0, 2].
        num_events: events of the user that have counted so far.
        top_items: best items and their scores, when asked for.
        uncertainty: how little the interest's direction is known, in [0, 1]; only from a variational head.
    """

    schema: int
    user_id: str
    version: int
    time_ms: int
    model_step: int
    interest: list[float]
    long_term: list[float]
    drift: float
    num_events: int
    top_items: list[tuple[str, float]] | None = None
    uncertainty: float | None = None


class ItemVector(msgspec.Struct, gc=False):
    """An item's vector of length 1, `[dim]` float32."""

    schema: int
    item_id: str
    model_step: int
    vector: list[float]


class EncodedRecord(msgspec.Struct, frozen=True, gc=False):
    """Key, value and headers of a record that is ready to be sent."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()


_decode_update_json = msgspec.json.Decoder(InterestUpdate).decode
_decode_item_json = msgspec.json.Decoder(ItemVector).decode


def rounded(vectors: np.ndarray) -> list[list[float]]:
    """`[n, dim]` float32 as lists of short decimals."""
    return np.round(vectors.astype(np.float64), JSON_DECIMALS).tolist()


def decode_update(key: bytes, value: bytes, headers: Headers = ()) -> InterestUpdate:
    """The update in a record of either format.

    Raises:
        EventError: the record is no update, or of a schema this version does not know.
    """
    if not headers:
        update = _decoded(_decode_update_json, value)
    else:
        of = dict(headers)
        update = InterestUpdate(
            schema=_number(of, "schema"),
            user_id=key.decode(),
            version=_number(of, "version"),
            time_ms=_number(of, "time_ms"),
            model_step=_number(of, "model_step"),
            interest=_floats(value),
            long_term=_floats(of.get("long_term", b"")),
            drift=float(of.get("drift", b"nan")),
            num_events=_number(of, "num_events"),
            top_items=msgspec.json.decode(of["top_items"], type=list[tuple[str, float]]) if "top_items" in of else None,
            uncertainty=float(of["uncertainty"]) if "uncertainty" in of else None,
        )
    return _known(update)


def decode_item_vector(key: bytes, value: bytes, headers: Headers = ()) -> ItemVector:
    """The item vector in a record of either format.

    Raises:
        EventError: the record is no item vector, or of a schema this version does not know.
    """
    if not headers:
        return _known(_decoded(_decode_item_json, value))
    of = dict(headers)
    return _known(ItemVector(_number(of, "schema"), key.decode(), _number(of, "model_step"), _floats(value)))


def _number(headers: dict[str, bytes], name: str) -> int:
    try:
        return int(headers[name])
    except (KeyError, ValueError):
        raise EventError("not_an_update", f"expected a whole number in the header {name!r}") from None


def _floats(value: bytes) -> list[float]:
    return np.frombuffer(value, "<f4").tolist()


def _decoded(decode: Callable[[bytes], T], value: bytes) -> T:
    try:
        return decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EventError("not_an_update", str(error)) from None


def _known(record: T) -> T:
    if record.schema != SCHEMA_VERSION:
        raise EventError("unknown_schema", f"expected schema {SCHEMA_VERSION}, got {record.schema}; update this client")
    return record
