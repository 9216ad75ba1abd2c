"""What the ledger must be, by definition: from the input log alone, one record after the other, in plain Python.

Shares the decoder and the policy with the worker, and nothing of its state, its batches or its arrays, so that the
one can be held against the other. Pure; a user is never forgotten here, however many there are.
"""

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

import xxhash

from stream.errors import EventError
from stream.flow.ledger import HASH_MODULUS, TopicLedger
from stream.records.dead_letters import SourceRecord
from stream.records.events import KIND_OF_EVENT_CLASS, Event, decode_event
from stream.users.admission import MINUTE_US, REMEMBERED_IDS, AdmissionPolicy, Verdict, refuse_future


class LogRecord(SourceRecord, Protocol):
    """What is read of a record in the log."""

    @property
    def topic(self) -> str: ...  # noqa: D102
    @property
    def partition(self) -> int: ...  # noqa: D102
    @property
    def timestamp(self) -> int:
        """Epoch milliseconds."""


class Judged(NamedTuple):
    """What must become of one record.

    Attributes:
        record: as it is in the log.
        event: what it says; None if it cannot be used.
        verdict: None if it cannot be used.
        reason: why it cannot be used; empty if it can.
    """

    record: LogRecord
    event: Event | None
    verdict: Verdict | None
    reason: str = ""


class _User:
    """What is remembered of one user."""

    def __init__(self) -> None:
        self.ids: deque[str] = deque(maxlen=REMEMBERED_IDS)
        self.newest_ms: dict[int, int] = {}
        self.full_until_us: dict[int, int] = {}

    def judge(self, event: Event, policy: AdmissionPolicy) -> Verdict:
        if event.event_id is not None:
            if event.event_id in self.ids:
                return Verdict.DUPLICATE
            self.ids.append(event.event_id)
        kind = KIND_OF_EVENT_CLASS[type(event)]
        newest_ms = self.newest_ms.get(kind, event.time_ms)
        self.newest_ms[kind] = max(newest_ms, event.time_ms)
        if event.time_ms < newest_ms - policy.allowed_lateness_ms:
            return Verdict.LATE
        return self._judge_rate(kind, policy) if policy.interval_us else Verdict.ADMITTED

    def _judge_rate(self, kind: int, policy: AdmissionPolicy) -> Verdict:
        now_us = self.newest_ms[kind] * 1_000
        full_until_us = max(self.full_until_us.get(kind, 0), now_us) + policy.interval_us
        if full_until_us > now_us + MINUTE_US:
            return Verdict.FLOOD
        self.full_until_us[kind] = full_until_us
        return Verdict.ADMITTED


def in_order_of_arrival(logs: Iterable[Iterable[LogRecord]]) -> Iterator[LogRecord]:
    """One log of all partitions: each keeps its order, and between them the timestamps decide.

    Only a duplicate whose first record is in another topic, or more than 64 ids before it, can be judged otherwise by a
    worker that read the topics at different speeds.
    """
    return heapq.merge(*logs, key=lambda record: record.timestamp)


def judge_log(
    records: Iterable[LogRecord], kind_of_topic: Mapping[str, int], policy: AdmissionPolicy
) -> Iterator[Judged]:
    """What must become of each record.

    Args:
        records: all of the input log from its beginning, in the order of their arrival.
        kind_of_topic: the kind of event, as an index into `KINDS`, of each input topic.
        policy: the worker's.
    """
    users: defaultdict[str, _User] = defaultdict(_User)
    for record in records:
        try:
            event = decode_event(kind_of_topic[record.topic], record.key, record.value)
            refuse_future(event, record.timestamp, policy)
        except EventError as error:
            yield Judged(record, None, None, error.reason)
        else:
            yield Judged(record, event, users[event.user_id].judge(event, policy))


def ledger_of(judged: Iterable[Judged]) -> dict[str, TopicLedger]:
    """The ledger that a state must have which contains these records and no others; topics without any are left out."""
    ledger: defaultdict[str, TopicLedger] = defaultdict(TopicLedger)
    for record, _, verdict, _ in judged:
        of_topic = ledger[record.topic]
        of_topic.records += 1
        of_topic.admitted += verdict is Verdict.ADMITTED
        of_topic.refused += verdict is None
        of_topic.duplicates += verdict is Verdict.DUPLICATE
        of_topic.late += verdict is Verdict.LATE
        of_topic.floods += verdict is Verdict.FLOOD
        if verdict is Verdict.ADMITTED:
            value_hash = xxhash.xxh3_64_intdigest(record.value or b"")
            of_topic.hash_sum = (of_topic.hash_sum + value_hash) % HASH_MODULUS
    return dict(ledger)
