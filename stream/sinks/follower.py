"""Keeps a store as the compacted topics are, over restarts and outages of either. Knows no store's API.

There is one way back from everything: ask the store how far it is, and read on from there. The progress that it keeps
is written together with the data and only where it is what we believe, so that nothing is lost or done by two.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain

import msgspec

from stream.errors import AwayError, ConfigError
from stream.outage import Outage
from stream.sinks.changes import Changes, changes_of, without
from stream.sinks.destination import Destination, Progress
from stream.sinks.output_log import OutputLog

LOOK_EVERY_S = 5.0  # at the ends of the topics, live; also how often an idle sink writes its progress
# Kafka keeps a tombstone for delete.retention.ms, a day unless changed; who was away for longer may have missed one.
TRUSTED_FOR_MS = 12 * 3_600_000

logger = logging.getLogger(__name__)


@dataclass
class SinkStatus:
    """What was done so far.

    Attributes:
        state: `reading` until the store has all that the topics hold, `following` then, `waiting` for who is away.
        users: updates written; `items`: vectors written.
        erased: users, and `dropped`: items, that were to go, whether they were there or not.
        stale: updates that were not newer than what was there.
        unreadable: records that are not what their topic is for.
        refused: users and items that the store cannot hold.
        lag: records that are still to be read, when last looked at.
    """

    state: str = "reading"
    users: int = 0
    items: int = 0
    erased: int = 0
    dropped: int = 0
    stale: int = 0
    unreadable: int = 0
    refused: int = 0
    lag: int | None = None


@dataclass
class _Course:
    """Where we are.

    Attributes:
        stored: the progress as the store has it.
        at: where the partitions stand.
        complete_at_ms: see `Progress`.
    """

    stored: str
    at: dict[str, int]
    complete_at_ms: int


@dataclass
class _Reading:
    """What the topics are known to hold, while they are read from their beginning by this process."""

    since_ms: int
    users: set[str] = field(default_factory=set)
    items: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class _Goal:
    """The ends of the topics at a moment, epoch milliseconds."""

    at_ms: int
    ends: dict[str, int]


class Follower:
    """Follows the topics into a store.

    Args:
        log: the topics.
        destination: the store.
        owner: a name that no other process has.
        rebuild: empty the store first.
        clock_ms: epoch milliseconds.
    """

    def __init__(
        self,
        log: OutputLog,
        destination: Destination,
        owner: str,
        rebuild: bool = False,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.status = SinkStatus()
        self._log, self._destination, self._owner = log, destination, owner
        self._is_to_rebuild, self._clock_ms = rebuild, clock_ms
        self._course: _Course | None = None
        self._reading: _Reading | None = None
        self._is_owner = False
        self._ends: dict[str, int] = {}
        self._goal: _Goal | None = None
        self._next_look = 0.0
        self._outage = Outage()

    def run(self, is_over: Callable[[SinkStatus], bool]) -> None:
        """Go on until `is_over`, which is asked at least once a second.

        Raises:
            ConfigError: the store or a topic is not as it must be, or another process has taken over.
        """
        try:
            self._resume()
        except AwayError as error:
            raise ConfigError(f"{error}; start it, or say where it is") from error
        while not is_over(self.status):
            try:
                self._step(self._course or self._resume())
            except AwayError as error:
                self._course = None
                self.status.state = "waiting"
                self._outage.wait(error, lambda: is_over(self.status))
            else:
                self._outage.is_over()

    def _resume(self) -> _Course:
        """Go on where the store is."""
        self.status.state = "reading"
        stored = self._destination.open()
        found = msgspec.json.decode(stored, type=Progress) if stored else None
        if self._is_owner and found is not None and found.owner != self._owner:
            raise ConfigError("another sink has taken over this store, where only one can write")
        course = self._claimed(stored, self._course_from(found, self._log.ranges()))
        self._log.start(course.at)
        self._course, self._goal, self._next_look = course, None, 0.0
        return course

    def _course_from(self, found: Progress | None, ranges: dict[str, range]) -> _Course:
        """On from where the store is, if that can be trusted; else from the beginning."""
        beginning = {name: offsets.start for name, offsets in ranges.items()}
        now_ms = self._clock_ms()
        if found is not None and not self._is_to_rebuild:
            at = {name: found.next_offsets.get(name, first) for name, first in beginning.items()}
            _check_same_topics(at, ranges)
            is_mine = found.owner == self._owner and self._reading is not None
            since_ms = found.complete_at_ms or (self._reading.since_ms if self._reading and is_mine else 0)
            if now_ms - since_ms < TRUSTED_FOR_MS and all(at[name] >= beginning[name] for name in at):
                self._reading = None if found.complete_at_ms else self._reading
                return _Course("", at, found.complete_at_ms)
            logger.warning("reading the topics anew: it is long ago, or never was, that the store had all of them")
        self._reading = _Reading(now_ms)
        return _Course("", beginning, 0)

    def _claimed(self, stored: str | None, course: _Course) -> _Course:
        claim = self._progress(course)
        if self._destination.write(Changes(), stored, claim) is None:
            raise AwayError("the store", "another sink starts there at this moment")
        course.stored, self._is_owner = claim, True
        if self._is_to_rebuild:
            self._sweep(course, _Reading(0))
            self._is_to_rebuild = False
        return course

    def _step(self, course: _Course) -> None:
        batch = self._log.poll()
        course.at |= batch.next_offsets
        is_due = time.monotonic() >= self._next_look
        if batch.records:
            changes = changes_of(batch.records)
            self._note(changes)
            if not self._write(course, changes):
                return
        if is_due:
            self._look(course)
        if self._course is course:
            self._arrive(course)
        self.status.lag = sum(max(0, end - course.at[name]) for name, end in self._ends.items() if name in course.at)

    def _look(self, course: _Course) -> None:
        """At the ends, live."""
        now_ms = self._clock_ms()
        self._ends = {name: offsets.stop for name, offsets in self._log.ranges().items()}
        self._next_look = time.monotonic() + LOOK_EVERY_S
        if set(self._ends) - set(course.at):
            logger.warning("a topic got partitions; going on with them")
            self._course = None
        self._goal = self._goal or _Goal(now_ms, self._ends)

    def _arrive(self, course: _Course) -> None:
        """Where we stand at the ends of a moment, the store has everything of that moment; more may have come since."""
        goal = self._goal
        if goal is None or any(course.at[name] < end for name, end in goal.ends.items()):
            return
        if self._reading is not None and not self._sweep(course, self._reading):
            return
        course.complete_at_ms, self._reading, self._goal = goal.at_ms, None, None
        if self._write(course, Changes()):
            self.status.state = "following"

    def _note(self, changes: Changes) -> None:
        self.status.unreadable += changes.num_unreadable
        if self._reading is None:
            return
        for user_id, change in changes.users.items():
            (self._reading.users.add if change.update else self._reading.users.discard)(user_id)
        for item_id, item in changes.items.items():
            (self._reading.items.add if item else self._reading.items.discard)(item_id)

    def _sweep(self, course: _Course, held: _Reading) -> bool:
        """Take away what the topics do not hold; False as `_write`."""
        gone = chain(
            (without([one for one in ids if one not in held.users]) for ids in self._destination.user_ids()),
            (without([], [one for one in ids if one not in held.items]) for ids in self._destination.item_ids()),
        )
        return all(self._write(course, changes) for changes in gone if changes.users or changes.items)

    def _write(self, course: _Course, changes: Changes) -> bool:
        """Whether it is written; where not, the store has other progress than we thought, and we go on from that."""
        after = self._progress(course)
        written = self._destination.write(changes, course.stored, after)
        if written is None:
            logger.warning("the store is not where we left it: it lost what was written last, or somebody took over")
            self._course, self.status.state = None, "reading"
            return False
        course.stored = after
        status = self.status
        status.users += written.num_users
        status.items += written.num_items
        status.refused += written.num_refused
        status.erased += len(changes.erased)
        status.dropped += len(changes.dropped)
        status.stale += changes.num_stale + written.num_stale
        return True

    def _progress(self, course: _Course) -> str:
        return msgspec.json.encode(Progress(self._owner, course.at, course.complete_at_ms)).decode()


def _check_same_topics(at: Mapping[str, int], ranges: Mapping[str, range]) -> None:
    for name, offsets in ranges.items():
        if at[name] > offsets.stop:
            raise ConfigError(
                f"the store is at offset {at[name]} of {name}, which ends at {offsets.stop}: it followed another topic "
                "of this name; --rebuild empties the store and reads this one"
            )
