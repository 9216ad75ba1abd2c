"""A worker that dies between any two of its effects, and through any rebalance: nothing lost, nothing twice."""

import asyncio
from collections.abc import Callable, Mapping
from enum import Enum, auto
from itertools import pairwise, product
from typing import NamedTuple

from faust.types import TP
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from checkpoints.manifest import Manifest
from stream.broker.transport import Run
from stream.flow.audit import Judged, judge_log, ledger_of
from stream.flow.engine import Engine, StateChanges
from stream.records.events import Event, encode_event
from tests.support.builders import A_POLICY, NOW_MS, TOPIC_OF_KIND, a_click, a_purchase, a_search
from tests.support.chaos import ROUNDS
from tests.support.proof import windows_of
from tests.support.small_world import SETTINGS, Broker, Disk, SmallWorker, versions_of

TPS = [TP("clicks", 0), TP("clicks", 1), TP("purchases", 0), TP("searches", 0)]
KIND_OF_TOPIC = {topic: kind for kind, topic in TOPIC_OF_KIND.items()}
USERS_OF_PARTITION = (("ann", "bob"), ("cy", "dee"))
ENGINE = Engine(SETTINGS)  # compiled once, put back at every restart
BLANK = ENGINE.learner.state()


class Race(Enum):
    """What a rebalance does to fetches that are under way."""

    NONE = auto()
    STALE_BATCH = auto()
    LOST_AFTER_THE_SEEK = auto()


class SomeEvent(NamedTuple):
    """An event, but for its kind and partition."""

    who: int
    age_ms: int
    number: int | None


tps = st.sampled_from(TPS)
counts = st.integers(1, 8)
ages_ms = st.sampled_from([0, 1, 500, A_POLICY.allowed_lateness_ms + 1])
some_event = st.none() | st.builds(SomeEvent, st.integers(0, 1), ages_ms, st.none() | st.integers(0, 9))


def a_record(tp: TP, some: SomeEvent) -> tuple[bytes, bytes]:
    """Key and value; ids are of one topic, so that its speed against the others changes no verdict."""
    maker: Callable[[str, str, int], Event] = (a_click, a_purchase, a_search)[KIND_OF_TOPIC[tp.topic]]
    event = maker(USERS_OF_PARTITION[tp.partition][some.who], f"i{some.age_ms % 7}", NOW_MS - some.age_ms)
    event.event_id = None if some.number is None else f"{tp.topic} {some.number}"
    return encode_event(event)


class CrashingWorker(RuleBasedStateMachine):
    """Fetch, queue, take, process, publish, snapshot, save and commit are rules, and so is dying."""

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.broker = Broker()
        self.disk = Disk()
        self.to_save: tuple[list[StateChanges], Manifest] | None = None
        self.to_commit: Manifest | None = None
        self.in_flight: list[tuple[TP, Run]] = []
        self.incarnation = 0
        self.worker = self._a_worker()

    @rule(tp=tps, events=st.lists(some_event, min_size=1, max_size=6))
    def produce(self, tp: TP, events: list[SomeEvent | None]) -> None:
        for some in events:
            self.broker.append(tp, *(a_record(tp, some) if some else (b"ann", b"{")))

    @rule(count=counts)
    def fetch(self, count: int) -> None:
        """A batch of each partition that has something new."""
        self.in_flight += [(tp, run) for tp in TPS if (run := self.worker.faust.fetch(tp, count))]

    @precondition(lambda self: self.in_flight)
    @rule(count=counts)
    def deliver(self, count: int) -> None:
        now, self.in_flight = self.in_flight[:count], self.in_flight[count:]
        for tp, run in now:
            self.worker.deliver(tp, run)

    @precondition(lambda self: self.in_flight)
    @rule(count=counts)
    def lose(self, count: int) -> None:
        """Batches that reach nobody, without any rebalance."""
        self.in_flight = self.in_flight[count:]

    @precondition(lambda self: self.worker.intake.num_records)
    @rule(count=counts)
    def process(self, count: int) -> None:
        self.worker.process(count)
        self.check_ledger_and_windows()

    @precondition(lambda self: self.worker.unsent)
    @rule(count=st.integers(1, 20))
    def send(self, count: int) -> None:
        self.worker.send(count)

    @precondition(lambda self: ENGINE.learner.num_pending > 0)
    @rule()
    def learn(self) -> None:
        ENGINE.learner.learn_batch()

    @precondition(lambda self: not self.worker.unsent and self.to_save is None)
    @rule()
    def take_changes(self) -> None:
        self.to_save = self.worker.take_changes()

    @precondition(lambda self: self.to_save is not None)
    @rule(disk_is_full=st.booleans())
    def save(self, disk_is_full: bool) -> None:
        assert self.to_save is not None
        changes, manifest = self.to_save
        if disk_is_full:
            ENGINE.not_saved(changes)
        else:
            self.disk.save(changes, manifest)
            self.to_commit = manifest
        self.to_save = None

    @precondition(lambda self: self.to_commit is not None)
    @rule()
    def commit(self) -> None:
        assert self.to_commit is not None
        self.worker.commit(self.to_commit)
        self.to_commit = None

    @rule(keeps=st.sets(tps, min_size=1), race=st.sampled_from(Race), lost=st.lists(counts, max_size=3))
    def rebalance(self, keeps: set[TP], race: Race, lost: list[int]) -> None:
        """All is revoked, some comes back."""
        self.worker.intake.drop(self.worker.faust.assignment())
        self.worker.lose_buffers()
        self.in_flight = self.in_flight[:1] if race is Race.STALE_BATCH else []
        self.worker.faust.assign(sorted(keeps))
        if race is Race.LOST_AFTER_THE_SEEK:
            for tp, count in product(keeps, lost):
                self.worker.faust.fetch(tp, count)
        self.worker.turn()

    @rule()
    def crash(self) -> None:
        self.worker.die()
        self.to_save = self.to_commit = None
        self.in_flight = []
        self.worker = self._a_worker()
        self.check_ledger_and_windows()

    def check_ledger_and_windows(self) -> None:
        """Those of the log up to the state's next offsets, and of nothing else."""
        judged = self._judged(ENGINE.updater.next_offsets)
        ledger = {topic: entry for topic, entry in ENGINE.updater.ledger.items() if entry.records}
        assert ledger == ledger_of(judged)
        windows = windows_of(judged, SETTINGS.window_size)
        assert {user: ENGINE.updater.window_of(user) for user in windows} == windows

    @invariant()
    def commits_are_in_the_checkpoint(self) -> None:
        contained = self.disk.next_offsets()
        assert all(offset <= contained.get(tp, 0) for tp, offset in self.broker.committed.items())

    def teardown(self) -> None:
        """Left in peace, the worker reads everything, and every broken record has its dead letter."""
        try:
            self._read_everything()
            self.check_ledger_and_windows()
            for versions in versions_of(self.broker.updates).values():
                assert all(older < newer for older, newer in pairwise(versions))
            ends = {tp: len(log) for tp, log in self.broker.log.items() if log}
            assert ENGINE.updater.next_offsets == ends
            refused = [judged.record for judged in self._judged(ends) if judged.reason]
            assert set(self.broker.dead_letters) == {f"{r.topic}/{r.partition}/{r.offset}" for r in refused}
        finally:
            self.worker.die()
            self.loop.close()

    def _read_everything(self) -> None:
        self.worker.faust.assign(TPS)
        progress = -1
        while progress < (progress := sum(self.worker.positions.seek_offsets().values())):
            self._read_some()
            self._read_some()  # the first may have met a hole, and only have gone back
        self.worker.send(len(self.worker.unsent))

    def _read_some(self) -> None:
        self.fetch(8)
        self.deliver(len(self.in_flight))
        self.worker.process(100)

    def _a_worker(self) -> SmallWorker:
        self.incarnation += 1
        worker = SmallWorker(
            self.loop, self.broker, self.disk, engine=ENGINE, blank=BLANK, incarnation=self.incarnation
        )
        worker.faust.assign(TPS)
        return worker

    def _judged(self, ends: Mapping[TP, int]) -> list[Judged]:
        records = [record for tp, end in ends.items() for record in self.broker.log[tp][:end]]
        return list(judge_log(records, KIND_OF_TOPIC, A_POLICY))


CrashingWorker.TestCase.settings = settings(
    max_examples=60 * ROUNDS, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
test_nothing_is_lost_and_nothing_is_twice = CrashingWorker.TestCase
