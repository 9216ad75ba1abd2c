"""Records that cannot be used, kept with the reason. Pure."""

from typing import Protocol

from stream.errors import EventError
from stream.records.updates import EncodedRecord

MAX_KEPT_BYTES = 900_000  # a broker takes records up to 1 MiB; the headers need room too


class SourceRecord(Protocol):
    """What is read of a Kafka record."""

    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def key(self) -> bytes | None: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102


def dead_letter(
    partition: tuple[str, int], record: SourceRecord, error: EventError, failed_at_ms: int
) -> EncodedRecord:
    """The original key and value; headers say what was wrong, where it came from and when it failed.

    `partition` is the record's topic and the number of its partition.

    A value over `MAX_KEPT_BYTES` is cut, and the header `value.cut_from_bytes` says how long it was.
    """
    topic, number = partition
    headers = [
        ("error.reason", error.reason.encode()),
        ("error.detail", error.detail.encode(errors="replace")),
        ("source.topic", topic.encode()),
        ("source.partition", str(number).encode()),
        ("source.offset", str(record.offset).encode()),
        ("failed_at_ms", str(failed_at_ms).encode()),
    ]
    value = record.value
    if value is not None and len(value) > MAX_KEPT_BYTES:
        headers.append(("value.cut_from_bytes", str(len(value)).encode()))
        value = value[:MAX_KEPT_BYTES]
    return EncodedRecord(record.key, value, headers)
