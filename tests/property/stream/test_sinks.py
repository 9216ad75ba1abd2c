"""A store that a follower writes is what the topics hold, whatever fails in between."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream import outage
from stream.errors import AwayError, ConfigError
from stream.records.updates import InterestUpdate
from stream.sinks import follower as module
from stream.sinks.changes import Changes, OutputRecord
from stream.sinks.destination import Written
from stream.sinks.follower import TRUSTED_FOR_MS, Follower, SinkStatus
from stream.sinks.output_log import Batch
from tests.support.records import encode_update

USERS = ("ann", "bob", "carl")
NAME = "interest-updates/0"


class FakeLog:
    """One partition, which the test compacts."""

    def __init__(self) -> None:
        self.records: dict[int, OutputRecord] = {}
        self.end = 0
        self._at = 0

    def append(self, user: str, version: int | None) -> None:
        value = None if version is None else encode_update(an_update(user, version)).value
        self.records[self.end] = OutputRecord(False, user.encode(), value)
        self.end += 1

    def compact(self, with_tombstones: bool) -> None:
        newest = {record.key: offset for offset, record in self.records.items()}
        kept = {offset: self.records[offset] for offset in newest.values()}
        self.records = {o: r for o, r in kept.items() if r.value is not None or not with_tombstones}

    def held(self) -> set[str]:
        log = FakeLog()
        log.records = dict(self.records)
        log.compact(with_tombstones=True)
        return {record.key.decode() for record in log.records.values() if record.key is not None}

    def ranges(self) -> dict[str, range]:
        return {NAME: range(self.end)}

    def start(self, next_offsets: dict[str, int]) -> None:
        self._at = next_offsets[NAME]

    def poll(self) -> Batch:
        there = sorted(offset for offset in self.records if offset >= self._at)[:1]
        self._at = there[0] + 1 if there else self.end
        return Batch([self.records[offset] for offset in there], {NAME: self._at})


class FakeStore:
    """Fails when told to: before it writes, after it wrote, or by going back to what it was before."""

    def __init__(self) -> None:
        self.users: dict[str, int] = {}
        self.progress: str | None = None
        self.failures: list[str] = []
        self._before: tuple[dict[str, int], str | None] = ({}, None)

    def open(self) -> str | None:
        return self.progress

    def write(self, changes: Changes, before: str | None, after: str) -> Written | None:
        failure = self.failures.pop() if self.failures else "none"
        if failure == "before":
            raise AwayError("the store", "it fails")
        if before != self.progress:
            return None
        self._before = (dict(self.users), self.progress)
        for user in changes.erased:
            self.users.pop(user, None)
        newer = [one for one in changes.updates if one.version > self.users.get(one.user_id, 0)]
        self.users |= {one.user_id: one.version for one in newer}
        self.progress = after
        if failure == "after":
            raise AwayError("the store", "its answer is lost")
        if failure == "back":
            self.users, self.progress = self._before
        if failure == "empty":
            self.users, self.progress = {}, None
        return Written(len(newer), 0)

    def user_ids(self) -> Iterator[list[str]]:
        yield list(self.users)

    def item_ids(self) -> Iterator[list[str]]:
        yield []

    def close(self) -> None:
        pass


def an_update(user: str, version: int) -> InterestUpdate:
    return InterestUpdate(1, user, version, 1, 1, [1.0], [1.0], 0.0, 1)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "FIRST_WAIT_S", 0.0)
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.0)


acts = st.one_of(
    st.tuples(st.just("update"), st.sampled_from(USERS)),
    st.tuples(st.just("erase"), st.sampled_from(USERS)),
    st.tuples(st.just("fail"), st.sampled_from(["before", "after", "back", "empty"])),
    st.tuples(st.just("die after steps"), st.sampled_from("0123")),
    st.tuples(st.sampled_from(["run", "restart", "compact", "a day passes"]), st.just("")),
)

DIES_WHILE_IT_READS_ANEW = [
    *(("update", user) for user in USERS),
    *(("run", ""), ("erase", "ann"), ("a day passes", ""), ("restart", ""), ("die after steps", "1")),
]


@settings(max_examples=300, deadline=None)
@given(st.lists(acts, max_size=30))
@example(DIES_WHILE_IT_READS_ANEW)
def test_the_store_holds_the_newest_of_whom_the_topic_holds_whatever_fails_and_whenever(doings: list[tuple[str, str]]):
    world = World()
    for act, what in doings:
        world.do(act, what)
    world.store.failures.clear()
    world.do("run", "")
    assert world.store.users == {user: world.versions[user] for user in world.log.held()}


class World:
    """A log, a store and the sink between, through which time passes."""

    def __init__(self) -> None:
        self.log, self.store = FakeLog(), FakeStore()
        self.versions: dict[str, int] = dict.fromkeys(USERS, 0)
        self.now_ms, self.num_started = 1_000_000_000_000, 0
        self.sink = self.started()

    def started(self) -> Follower:
        self.num_started += 1
        log: Any = self.log
        return Follower(log, self.store, f"sink {self.num_started}", clock_ms=lambda: self.now_ms)

    def do(self, act: str, what: str) -> None:
        if act == "update":
            self.versions[what] += 1
            self.log.append(what, self.versions[what])
        elif act == "erase":
            self.log.append(what, None)
        elif act == "fail":
            self.store.failures.append(what)
        elif act == "compact":
            self.log.compact(with_tombstones=False)
        elif act == "a day passes":
            self.now_ms += 2 * TRUSTED_FOR_MS
            self.log.compact(with_tombstones=True)
        elif act == "die after steps":
            steps = iter(range(int(what)))
            self.run(lambda status: next(steps, None) is None)
            self.sink = self.started()
        elif act == "restart":
            self.sink = self.started()
        else:
            self.run()

    def run(self, is_over: Callable[[SinkStatus], bool] = lambda status: status.state == "following") -> None:
        """A start that finds the store away is tried again, as a supervisor does."""
        while True:
            try:
                self.sink.run(is_over)
            except ConfigError:
                self.sink = self.started()
            else:
                return


class BusyLog(FakeLog):
    """As much comes as is read."""

    def poll(self) -> Batch:
        self.append("ann", self.end + 1)
        return super().poll()


def test_a_sink_is_complete_although_the_topic_never_rests():
    log: Any = BusyLog()
    for version in range(1, 10):
        log.append("bob", version)
    Follower(log, FakeStore(), "sink").run(lambda status: status.state == "following")
