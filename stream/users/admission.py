"""Which events count: duplicates, lateness, floods, future. Pure; the log alone decides, never clock or batching."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from models.compiled import Compiled, inlined
from models.inputs.features import KINDS
from models.saving import Array
from stream.errors import EventError
from stream.records.events import Event
from stream.users.rows import Blocks, Columns, SavedForm, UserRows, place, saved_name, taken_place

REMEMBERED_IDS = 64  # event ids kept for each user that sends them; up to 512 bytes
NO_ID = 0
MINUTE_MS = 60_000
MINUTE_US = 1_000 * MINUTE_MS


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
                "filled_us": (np.uint32, (len(KINDS),)),
                "num_ids": (np.uint8, ()),
            },
            rows,
            {"ids": np.uint64},
            REMEMBERED_IDS,
            SavedForm(_as_saved, _as_kept),
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
        verdicts = np.empty(len(users), np.uint8)
        rows = self.rows
        known = _Known(rows["newest_ms"], rows["filled_us"], rows.blocks, rows["ids"], rows["num_ids"])
        events = _Events(users, kinds, times_ms, event_ids)
        _judge(known, events, policy.allowed_lateness_ms, policy.interval_us, verdicts)
        return verdicts


def _as_saved(kept: Columns) -> Columns:
    """A minute is saved as the time until which it is full, and ids are counted in 64 bits."""
    newest_ms, filled_us = kept["newest_ms"], kept["filled_us"].astype(np.int64)
    full_until_us = np.where(filled_us > 0, 1_000 * newest_ms + filled_us, 0)
    return {
        "newest_ms": newest_ms,
        "full_until_us": full_until_us,
        "num_ids": kept["num_ids"].astype(np.int64),
        saved_name("ids"): kept[saved_name("ids")],
    }


def _as_kept(saved: Columns) -> Columns:
    newest_ms, num_ids = saved["newest_ms"], saved["num_ids"]
    return {
        "newest_ms": newest_ms,
        "filled_us": np.maximum(saved["full_until_us"] - 1_000 * newest_ms, 0),
        "num_ids": np.where(num_ids < REMEMBERED_IDS, num_ids, REMEMBERED_IDS + num_ids % REMEMBERED_IDS),
        saved_name("ids"): saved[saved_name("ids")],
    }


class _Known(NamedTuple):
    """The columns of `AdmissionState`; the n-th id of a user is at position `n % REMEMBERED_IDS` of `ids`.

    Attributes:
        newest_ms: `[users, kinds]` int64 event times.
        filled_us: `[users, kinds]` uint32, how much of a minute the events fill, as of the newest one.
        blocks: where a user's ids are.
        ids: uint64.
        num_ids: `[users]` uint8; from `2 * REMEMBERED_IDS` on it is as if there had been half as many.
    """

    newest_ms: Array
    filled_us: Array
    blocks: Blocks
    ids: Array
    num_ids: Array


class _Events(NamedTuple):
    """A column each, `[n]`."""

    users: Array
    kinds: Array
    times_ms: Array
    ids: Array


@inlined
def _is_known(known: _Known, user: int, event_id: int) -> bool:
    for position in range(min(known.num_ids[user], REMEMBERED_IDS)):
        if known.ids[place(known.blocks, user, position)] == event_id:
            return True
    return False


@inlined
def _remember(known: _Known, user: int, event_id: int) -> None:
    num_ids = known.num_ids[user]
    known.ids[taken_place(known.blocks, user, num_ids % REMEMBERED_IDS)] = event_id
    known.num_ids[user] = num_ids + 1 if num_ids + 1 < 2 * REMEMBERED_IDS else REMEMBERED_IDS


@inlined
def _advance(known: _Known, user: int, kind: int, time_ms: int) -> None:
    """A minute empties as time goes by."""
    passed_ms = time_ms - known.newest_ms[user, kind]
    if passed_ms > 0:
        known.newest_ms[user, kind] = time_ms
        filled_us = np.int64(known.filled_us[user, kind])
        if filled_us > 0:  # who has no limit shall not pay for its memory
            known.filled_us[user, kind] = max(filled_us - 1_000 * min(passed_ms, MINUTE_MS), 0)


@Compiled
def _judge(known: _Known, events: _Events, allowed_lateness_ms: int, interval_us: int, verdicts: Array) -> None:
    """Floods: a leaking bucket for each user and kind (GCRA, ITU-T I.371) holds a minute; only what counts fills it.

    A straggler counts as of now, so that it is not taken for a flood of the past.
    """
    for i in range(len(verdicts)):
        user, kind, time_ms = events.users[i], events.kinds[i], events.times_ms[i]
        if events.ids[i] != NO_ID:
            if _is_known(known, user, events.ids[i]):
                verdicts[i] = Verdict.DUPLICATE
                continue
            _remember(known, user, events.ids[i])
        is_late = time_ms < known.newest_ms[user, kind] - allowed_lateness_ms
        _advance(known, user, kind, time_ms)
        verdicts[i] = Verdict.LATE if is_late else Verdict.ADMITTED
        if interval_us and not is_late:
            filled_us = np.int64(known.filled_us[user, kind]) + interval_us
            if filled_us > MINUTE_US:
                verdicts[i] = Verdict.FLOOD
            else:
                known.filled_us[user, kind] = filled_us
