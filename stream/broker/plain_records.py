"""Fetched records as aiokafka's parser makes them, without the object that aiokafka makes of each for its users.

That object, which adds the topic, the partition and three sizes, costs more than the parser, and handing each out by
itself as much again.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from aiokafka.consumer.fetcher import READ_UNCOMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.structs import TopicPartition


class PlainRecords(OrderedDict[TopicPartition, Any]):
    """What has been fetched and not handed out; to be put in the place of a fetcher's own, before it fetches."""

    def __setitem__(self, partition: TopicPartition, result: Any) -> None:
        if isinstance(result, FetchResult):
            result._partition_records = _AsTheyAre(result._partition_records)
        super().__setitem__(partition, result)


class _AsTheyAre:
    """In the place of a partition's records in a fetch; whoever does not read transactions gets all of them.

    Attributes:
        next_fetch_offset: that after the record which was handed out last.
    """

    def __init__(self, parsed: PartitionRecords) -> None:
        if parsed._isolation_level != READ_UNCOMMITTED:
            raise ValueError("expected a consumer that reads what is uncommitted")
        self.next_fetch_offset: int = parsed.next_fetch_offset
        self._tp, self._batches, self._checks = parsed._tp, parsed._records, parsed._check_crcs
        self._records = self._handed_out()

    def __iter__(self) -> Iterator[Any]:
        return self._records

    def __next__(self) -> Any:
        return next(self._records)

    def _handed_out(self) -> Iterator[Any]:
        while self._batches.has_next():
            batch: Any = self._batches.next_batch()
            if self._checks and not batch.validate_crc():
                raise CorruptRecordException(f"wrong checksum in {self._tp}")
            if not batch.is_control_batch:
                for record in batch:
                    offset = record.offset
                    if offset >= self.next_fetch_offset:  # a batch may begin before what was asked for
                        self.next_fetch_offset = offset + 1
                        yield record
            self.next_fetch_offset = batch.next_offset  # beyond what compaction has taken from its end
