"""Which events count: duplicates, lateness, floods, future. Pure; the log alone decides, never clock or batching."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from models.features import KINDS
from models.saving import Array
from stream.errors import EventError
from stream.records.events import Event
from stream.users.rounds import rounds
from stream.users.rows import UserRows

REMEMBERED_IDS = 64  # event ids kept for each user that sends them; 512 bytes
NO_ID = 0
MINUTE_US = 60_000_000


class Verdict(IntEnum):
    """What becomes of a decoded event."""

    ADMITTED = 0
    DUPLICATE = 1
    LATE = 2
    ERASED = 3
    FLOOD = 4


@dataclass(frozen=True)
class AdmissionPolicy:
    """Attributes:
    allowed_lateness_ms: how much older than the user's newest event of the same kind an event may be.
    max_future_ms: how far ahead of its record's timestamp an event time may be.
    max_per_minute: events of one user and kind that count, by event time; 0 for any number.
    """

    allowed_lateness_ms: int
    max_future_ms: int
    max_per_minute: int = 0

    @property
    def interval_us(self) -> int:
        """What each event takes of the minute that a user may fill at once; 0 without a limit."""
        return MINUTE_US // self.max_per_minute if self.max_per_minute else 0


def refuse_future(event: Event, recorded_ms: int, policy: AdmissionPolicy) -> None:
    """Raise for an event that claims to happen after it was recorded.

    Args:
        event: any event.
        recorded_ms: the record's timestamp, epoch milliseconds; by `topics create` it is the broker's clock.
        policy: allows for clocks that disagree.

    Raises:
        EventError: reason `in_future`.
    """
    ahead_ms = event.time_ms - recorded_ms
    if ahead_ms > policy.max_future_ms:
        raise EventError("in_future", f"expected at most {policy.max_future_ms} ms ahead of the record, got {ahead_ms}")


class AdmissionState:
    """What must be remembered of each user to judge the next event: a row a user.

    Lateness is measured within one kind, since the events of a user and kind come in log order whatever the topics'
    relative speed; so the same log gives the same verdicts however it is consumed.
    """

    def __init__(self, rows: int = 1_024) -> None:
        self.rows = UserRows(
            {
                "newest_ms": (np.int64, (len(KINDS),)),
                "full_until_us": (np.int64, (len(KINDS),)),
                "ids": (np.uint64, (REMEMBERED_IDS,)),
                "num_ids": (np.int64, ()),
            },
            rows,
        )

    def judge(
        self,
        users: Array,
        kinds: Array,
        times_ms: Array,
        event_ids: Array,
        policy: AdmissionPolicy,
    ) -> Array:
        """Judge events in the order of their arrival, and remember them.

        Args:
            users: `[n]` rows.
            kinds: `[n]` int8.
            times_ms: `[n]` int64 event times.
            event_ids: `[n]` uint64 hashes of event ids, `NO_ID` where there is none.
            policy: how late is too late, how many are too many.

        Returns:
            `[n]` uint8 of `Verdict`.
        """
        is_duplicate = self._duplicates(users, event_ids)
        verdicts = np.full(len(users), Verdict.DUPLICATE, np.uint8)
        fresh = np.flatnonzero(~is_duplicate)
        verdicts[fresh] = self._judge_times(users[fresh], kinds[fresh], times_ms[fresh], policy)
        return verdicts

    def _duplicates(self, users: Array, event_ids: Array) -> Array:
        ids, num_ids = self.rows["ids"], self.rows["num_ids"]
        is_duplicate = np.zeros(len(users), bool)
        with_id = np.flatnonzero(event_ids != NO_ID)
        for group in rounds(users[with_id]):
            at = with_id[group]
            is_known = (ids[users[at]] == event_ids[at, None]).any(1)
            is_duplicate[at] = is_known
            new = at[~is_known]
            ids[users[new], num_ids[users[new]] % REMEMBERED_IDS] = event_ids[new]
            num_ids[users[new]] += 1
        return is_duplicate

    def _judge_times(self, users: Array, kinds: Array, times_ms: Array, policy: AdmissionPolicy) -> Array:
        newest_ms = self.rows["newest_ms"]
        verdicts = np.zeros(len(users), np.uint8)
        for group in rounds(users.astype(np.int64) * len(KINDS) + kinds):
            user, kind, time_ms = users[group], kinds[group], times_ms[group]
            newest = newest_ms[user, kind]
            is_late = time_ms < newest - policy.allowed_lateness_ms
            newest_ms[user, kind] = np.maximum(newest, time_ms)
            verdicts[group] = np.where(is_late, Verdict.LATE, Verdict.ADMITTED)
            if policy.interval_us:
                in_time = ~is_late
                verdicts[group[in_time]] = self._judge_rates(user[in_time], kind[in_time], policy.interval_us)
        return verdicts

    def _judge_rates(self, users: Array, kinds: Array, interval_us: int) -> Array:
        """A leaking bucket for each user and kind (GCRA, ITU-T I.371) that holds a minute; only what counts fills it.

        A straggler counts as of now, so that it is not taken for a flood of the past.
        """
        now_us = self.rows["newest_ms"][users, kinds] * 1_000
        full_until_us = np.maximum(self.rows["full_until_us"][users, kinds], now_us) + interval_us
        is_flood = full_until_us - now_us > MINUTE_US
        self.rows["full_until_us"][users[~is_flood], kinds[~is_flood]] = full_until_us[~is_flood]
        return np.where(is_flood, Verdict.FLOOD, Verdict.ADMITTED)
