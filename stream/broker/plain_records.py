"""Fetched records without the object that aiokafka makes of each for its users: many in columns, few as it parses them.

That object, which adds the topic, the partition and three sizes, costs more than the parser, and handing each out by
itself as much again. Where there are many, columns spare the parser's object too.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, cast

from aiokafka.consumer.fetcher import READ_UNCOMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.structs import TopicPartition

from stream.records.fetched_records import CorruptBatchError, FetchedRecords, read_batches

MANY_BYTES = 4_096  # of a partition in an answer: some thirty events, from which on columns are cheaper


class PlainRecords(OrderedDict[TopicPartition, Any]):
    """What has been fetched and not handed out; to be put in the place of a fetcher's own, before it fetches."""

    def __init__(self) -> None:
        super().__init__()
        self._sent: dict[TopicPartition, bytes] = {}

    def note(self, response: Any) -> None:
        """What a broker has sent: the fetcher is about to put what can be used of it here."""
        self._sent = {
            TopicPartition(topic, partition): content
            for topic, partitions in response.topics
            for partition, *_, content in partitions
            if content and len(content) >= MANY_BYTES
        }

    def __setitem__(self, partition: TopicPartition, result: Any) -> None:
        if isinstance(result, FetchResult):
            parsed = _AsTheyAre(result._partition_records)
            result._partition_records = parsed
            if content := self._sent.pop(partition, b""):
                cast(Any, result).getall = partial(_InColumns(content, parsed).hand_out, result)
        super().__setitem__(partition, result)


class _AsTheyAre:
    """In the place of a partition's records in a fetch; whoever does not read transactions gets all of them.

    Attributes:
        next_fetch_offset: that after the record which was handed out last.
        checks: whether checksums are compared.
    """

    def __init__(self, parsed: PartitionRecords) -> None:
        if parsed._isolation_level != READ_UNCOMMITTED:
            raise ValueError("expected a consumer that reads what is uncommitted")
        self.next_fetch_offset: int = parsed.next_fetch_offset
        self.checks: bool = parsed._check_crcs
        self._tp, self._batches = parsed._tp, parsed._records
        self._records = self._handed_out()

    def __iter__(self) -> Iterator[Any]:
        return self._records

    def __next__(self) -> Any:
        return next(self._records)

    def _handed_out(self) -> Iterator[Any]:
        while self._batches.has_next():
            batch: Any = self._batches.next_batch()
            if self.checks and not batch.validate_crc():
                raise CorruptRecordException(f"wrong checksum in {self._tp}")
            if not batch.is_control_batch:
                for record in batch:
                    offset = record.offset
                    if offset >= self.next_fetch_offset:  # a batch may begin before what was asked for
                        self.next_fetch_offset = offset + 1
                        yield record
            self.next_fetch_offset = batch.next_offset  # beyond what compaction has taken from its end


class _InColumns:
    """Hands out what is in a fetch in columns, and what cannot be read so, because it is compressed, as it is parsed.

    Args:
        content: what the broker has sent of the partition.
        parsed: the same; told how far it is handed out.
    """

    def __init__(self, content: bytes, parsed: _AsTheyAre) -> None:
        self._content, self._parsed = content, parsed
        self._read: tuple[FetchedRecords, int] | None = None

    def hand_out(self, result: Any, max_records: int | None = None) -> Sequence[Any]:
        """As `FetchResult.getall`."""
        if not result.check_assignment(result._topic_partition) or not result.has_more():
            return []
        self._read = self._read or self._in_columns()
        if self._read is None:
            del result.getall  # its class has one, which hands out what is parsed
            return cast(list[Any], result.getall(max_records))
        records, next_offset = self._read
        taken = records[:max_records]
        left = records[len(taken) :]
        self._read = left, next_offset
        self._parsed.next_fetch_offset = left[0].offset if left else next_offset
        result._update_position()
        if not left:
            result._partition_records = None
        return taken

    def _in_columns(self) -> tuple[FetchedRecords, int] | None:
        try:
            return read_batches(self._content, self._parsed.next_fetch_offset, check_crc=self._parsed.checks)
        except CorruptBatchError:
            return None  # aiokafka says so at the batch itself, and hands out those before
