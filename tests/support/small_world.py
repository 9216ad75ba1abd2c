"""A worker between a log, an output and a store that live in memory, to be crashed between any two of its effects.

The real agents, positions, intake and updater; broker, Faust and disk are the few lines here.
"""

import asyncio
import copy
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import faust
from faust.types import TP

from checkpoints.changes import State, apply
from checkpoints.manifest import Manifest
from stream.broker.positions import Positions
from stream.broker.transport import Run
from stream.flow.agents import BatchAgents
from stream.flow.engine import Engine, StateChanges
from stream.flow.intake import Intake
from stream.flow.manifests import next_offsets
from stream.flow.record_encoder import RecordEncoder
from stream.flow.slices import updater_policy
from stream.flow.updater import Updater
from stream.records.updates import EncodedRecord, decode_update
from stream.settings import Settings
from tests.support.builders import A_POLICY, NOW_MS, TOPIC_OF_KIND, ARecord

SETTINGS = Settings.load(
    dim=8,
    window_size=6,
    encoder_window=4,
    max_items=64,
    max_queries=16,
    max_users=100,
    learn_batch_size=16,
    replay_capacity=128,
    allowed_lateness_ms=A_POLICY.allowed_lateness_ms,
    max_future_ms=A_POLICY.max_future_ms,
)
ALL_SCORED = SETTINGS.model_copy(update={"score_sample_ratio": 1.0})
Agent = Callable[[Any], Awaitable[None]]
TURNS = 20  # of the event loop, until every agent waits for something


class Disk:
    """The store of checkpoints, in memory: changes applied in order give the state, as on a real one."""

    def __init__(self) -> None:
        self._state: State = {}
        self.manifest: Manifest | None = None

    def save(self, changes: Sequence[StateChanges], manifest: Manifest) -> None:
        """One more checkpoint: all of it, or nothing."""
        apply(self._state, changes)
        self.manifest = manifest

    def read(self) -> State:
        """A copy, as a disk gives."""
        return copy.deepcopy(self._state)

    def next_offsets(self) -> dict[TP, int]:
        """Of the newest checkpoint."""
        return next_offsets(self.manifest) if self.manifest else {}


@dataclass
class Broker:
    """What outlives every worker.

    Attributes:
        log: input records by partition.
        committed: next offsets of the group.
        updates: records of the updates topic, in order.
        dead_letters: sources of the dead letters, copies included.
    """

    log: dict[TP, list[ARecord]] = field(default_factory=lambda: defaultdict(list))
    committed: dict[TP, int] = field(default_factory=dict)
    updates: list[EncodedRecord] = field(default_factory=list)
    dead_letters: list[str] = field(default_factory=list)

    def append(self, tp: TP, key: bytes | None, value: bytes | None) -> None:
        """One more input record."""
        offset = len(self.log[tp])
        self.log[tp].append(ARecord(value, key, tp.topic, tp.partition, offset, NOW_MS))


class FakeFaust:
    """The parts of app and consumer that the agents and the flow use.

    Attributes:
        agents: by topic.
        fetch_at: where the consumer reads on.
    """

    def __init__(self, broker: Broker, positions: Positions) -> None:
        self._broker, self._positions = broker, positions
        self.agents: dict[str, Agent] = {}
        self.fetch_at: dict[TP, int] = {}
        self.consumer = self

    def topic(self, name: str, **_: Any) -> str:
        return name

    def agent(self, channel: str, name: str) -> Callable[[Agent], None]:
        def register(agent: Agent) -> None:
            self.agents[name] = agent

        return register

    def assignment(self) -> set[TP]:
        return set(self.fetch_at)

    async def seek(self, tp: TP, offset: int) -> None:
        self.fetch_at[tp] = offset

    def assign(self, tps: Sequence[TP]) -> None:
        """Read on where the transport's `perform_seek` would."""
        self._positions.begin_at({tp: self._broker.committed.get(tp, 0) for tp in tps})
        known = self._positions.seek_offsets()
        self.fetch_at = {tp: known[tp] for tp in tps}

    def fetch(self, tp: TP, count: int) -> Run | None:
        """The next records of a partition that is ours; the position is behind them, whatever becomes of them."""
        if tp not in self.fetch_at:
            return None
        start = self.fetch_at[tp]
        records = self._broker.log[tp][start : start + count]
        self.fetch_at[tp] += len(records)
        return Run(records, read_from=start) if records else None


class SmallWorker:
    """One life of a worker, one effect a method.

    Args:
        loop: runs the agents.
        broker: outlives it.
        disk: outlives it.
        engine: compiled once and used by one life after the other; nothing of the life before remains in it.
        blank: the learner's state where there is no checkpoint.
        incarnation: of this life.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        broker: Broker,
        disk: Disk,
        *,
        engine: Engine,
        blank: State,
        incarnation: int,
    ) -> None:
        self._loop, self._broker, self._disk = loop, broker, disk
        self.engine = engine
        self.positions = Positions()
        self.intake = Intake(max_records=12, positions=self.positions)
        engine.take_changes()  # what the life before had not saved
        engine.updater = Updater(updater_policy(SETTINGS), engine.learner, RecordEncoder("json"))
        if disk.manifest is None:
            engine.learner.restore(copy.deepcopy(blank))
        else:
            engine.restore(disk.read(), disk.manifest)
            self.positions.start_at(disk.next_offsets())
        engine.begin(incarnation)
        self.faust = FakeFaust(broker, self.positions)
        agents = BatchAgents(cast(faust.App, self.faust), self.intake, self.positions, A_POLICY)
        for kind, topic in TOPIC_OF_KIND.items():
            agents.register(topic, kind)
        self._channels: dict[str, asyncio.Queue[Any]] = {topic: asyncio.Queue() for topic in self.faust.agents}
        self._running = [loop.create_task(self._run(topic)) for topic in self.faust.agents]
        self.unsent: list[tuple[str, EncodedRecord]] = []

    def deliver(self, tp: TP, run: Run) -> None:
        """Hand a fetched run to its agent, as Faust does."""
        message = SimpleNamespace(value={tp: run})
        self._channels[tp.topic].put_nowait(message)
        self.turn()

    def lose_buffers(self) -> None:
        """What Faust does to its streams in a rebalance."""
        for channel in self._channels.values():
            while not channel.empty():
                channel.get_nowait()

    def process(self, max_records: int) -> None:
        """One micro-batch; its output waits to be sent."""
        outcome = self.engine.process(self.intake.take(max_records))
        self.unsent += [("updates", record) for _, records in sorted(outcome.updates.items()) for record in records]
        self.unsent += [("dead letters", letter) for letter in outcome.dead_letters]
        self.turn()

    def send(self, count: int) -> None:
        """The broker takes the first `count` records that wait."""
        now, self.unsent = self.unsent[:count], self.unsent[count:]
        for topic, record in now:
            if topic == "updates":
                self._broker.updates.append(record)
            else:
                header = {name: value.decode() for name, value in record.headers}
                source = "/".join(header[f"source.{part}"] for part in ("topic", "partition", "offset"))
                self._broker.dead_letters.append(source)

    def take_changes(self) -> tuple[list[StateChanges], Manifest]:
        """What a checkpoint would write; all output must have been sent."""
        assert not self.unsent
        return self.engine.take_changes()

    def commit(self, manifest: Manifest) -> None:
        """What `commit_exactly` does."""
        ours = {tp: at for tp, at in next_offsets(manifest).items() if tp in self.faust.assignment()}
        self._broker.committed.update(ours)

    def turn(self) -> None:
        """Let the agents go on until they wait."""

        async def some_turns() -> None:
            for _ in range(TURNS):
                await asyncio.sleep(0)

        self._loop.run_until_complete(some_turns())

    def die(self) -> None:
        """`kill -9`."""
        for task in self._running:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._running, return_exceptions=True))

    async def _run(self, topic: str) -> None:
        await self.faust.agents[topic](SimpleNamespace(events=lambda: self._batches(topic)))

    async def _batches(self, topic: str) -> AsyncIterator[Any]:
        while True:
            yield await self._channels[topic].get()


def versions_of(records: Sequence[EncodedRecord]) -> dict[str, list[int]]:
    """Versions of each user's updates, in the order of the topic."""
    versions: defaultdict[str, list[int]] = defaultdict(list)
    for record in records:
        update = decode_update(record.key or b"", record.value or b"", record.headers)
        versions[update.user_id].append(update.version)
    return versions
