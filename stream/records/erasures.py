"""Erasures: that a user is to be forgotten, as a record and back. Knows nothing of Kafka or of the state."""

from typing import Annotated

import msgspec
from msgspec import Meta

from stream.errors import EventError
from stream.records.events import EpochMs, Id

ERASURES = -1  # stands where a chunk of events says its kind


class Erasure(msgspec.Struct, frozen=True):
    """Forget a user, and every event of before.

    Attributes:
        user_id: who.
        erased_at_ms: events up to this event time must not bring the user back.
    """

    user_id: Id
    erased_at_ms: Annotated[EpochMs, Meta(description="events up to this event time are refused, epoch milliseconds")]


_decode = msgspec.json.Decoder(Erasure).decode
_encode = msgspec.json.Encoder().encode


def encode_erasure(erasure: Erasure) -> tuple[bytes, bytes]:
    """The key and value of an erasure's record."""
    return erasure.user_id.encode(), _encode(erasure)


def decode_erasure(key: bytes | None, value: bytes | None, recorded_ms: int, max_future_ms: int) -> Erasure:
    """The erasure in a record.

    Args:
        key: must be the user id.
        value: JSON.
        recorded_ms: the record's timestamp, epoch milliseconds.
        max_future_ms: how far ahead of it the erasure may be; a user erased in the year 3000 could never come back.

    Raises:
        EventError: the record cannot be used; its reason is one of `no_value`, `not_an_erasure`, `wrong_key`,
            `in_future`.
    """
    if value is None:
        raise EventError("no_value", "expected a JSON object, got a record without a value")
    try:
        erasure = _decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EventError("not_an_erasure", str(error)) from None
    if key != erasure.user_id.encode():
        raise EventError("wrong_key", f"expected the user id {erasure.user_id[:40]!r} as the key")
    if erasure.erased_at_ms - recorded_ms > max_future_ms:
        raise EventError("in_future", f"expected at most {max_future_ms} ms ahead of the record")
    return erasure
