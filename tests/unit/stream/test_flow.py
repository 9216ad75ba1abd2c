"""The loop of a worker, on a real engine, intake and store; what it would publish is let go."""

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from faust.types import TP

from checkpoints.store import CheckpointStore
from stream.broker.positions import Positions
from stream.broker.publisher import Publisher
from stream.flow.agents import decode_chunk
from stream.flow.columns import EventColumns
from stream.flow.engine import Engine
from stream.flow.intake import Chunk, Intake
from stream.flow.learning import LATE_BATCHES, MAX_PENDING_BATCHES
from stream.flow.loop import Flow, FlowPolicy
from stream.flow.model_thread import ModelThread
from stream.metrics import Meters
from stream.records.packed_records import PackedRecords
from tests.property.stream.test_bits import EVENTS, a_micro_batch
from tests.support.builders import A_POLICY, NOW_MS, TOPIC_OF_KIND, ARecord
from tests.support.small_world import ALL_SCORED, SETTINGS
from tests.support.waiting import wait_until_async

BATCH = SETTINGS.learn_batch_size
POLICY = FlowPolicy.of(ALL_SCORED)
BROKEN = TP("clicks", 1)


class Nowhere:
    """A publisher whose broker acknowledges at once, and a consumer that commits.

    Attributes:
        sent: keys by topic.
    """

    def __init__(self) -> None:
        self.sent: defaultdict[str, list[bytes | None]] = defaultdict(list)

    async def send(self, topic: str, records_of: Mapping[int, PackedRecords]) -> None:
        self.sent[topic] += [record.key for records in records_of.values() for record in records]
        await asyncio.sleep(0)

    async def flush(self) -> None:
        await asyncio.sleep(0)

    async def commit_exactly(self, next_offset_of: Mapping[TP, int]) -> bool:
        return True


class WatchedEngine(Engine):
    """Attributes:
    pending: examples that waited when a micro-batch came.
    """

    def __init__(self) -> None:
        super().__init__(ALL_SCORED)
        self.pending: list[int] = []

    def begin_to_process(self, *args: Any, **kwargs: Any) -> Any:
        """One more micro-batch."""
        self.pending.append(self.learner.num_pending)
        return super().begin_to_process(*args, **kwargs)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> WatchedEngine:
    monkeypatch.setattr("models.mixture.ranking.SCORES_AT_ONCE", 256)  # 2 predictions at a time among 100 rows
    engine = WatchedEngine()
    engine.begin(incarnation=1)
    return engine


@pytest.fixture
def intake() -> Intake:
    """Holds no more than a micro-batch, so that the worker is not behind."""
    positions = Positions()
    positions.start_at({TP(topic, 0): 0 for topic in TOPIC_OF_KIND.values()})
    return Intake(EVENTS, positions)


@contextlib.asynccontextmanager
async def flowing(
    engine: Engine, intake: Intake, folder: Path, policy: FlowPolicy = POLICY
) -> AsyncIterator[dict[str, list[bytes | None]]]:
    """A flow runs until the context is left; what it sends."""
    thread, nowhere = ModelThread(), Nowhere()
    flow = Flow(
        policy,
        engine,
        thread,
        intake=intake,
        publisher=cast(Publisher, nowhere),
        store=CheckpointStore(folder, kept=2),
        confirm_ownership=lambda: None,
        meters=Meters(),
    )
    running = asyncio.create_task(flow.run(nowhere))
    try:
        yield nowhere.sent
    finally:
        await flow.finish(running)
        thread.close()


async def test_events_without_a_pause_leave_learning_its_turns(engine, intake, tmp_path):
    async with flowing(engine, intake, tmp_path):
        for number in range(60):
            for chunk in a_micro_batch(number):
                await intake.put(chunk)  # which waits for room, so that something always waits
    assert max(engine.pending) >= LATE_BATCHES * BATCH
    assert max(engine.pending) < LATE_BATCHES * BATCH + EVENTS < MAX_PENDING_BATCHES * BATCH


async def test_a_worker_that_is_behind_sends_every_update_whatever_comes_between(engine, tmp_path):
    policy = replace(POLICY, micro_batch_size=EVENTS, dead_letter_limit_ratio=1.0)
    good = [a_micro_batch(number) for number in range(9)]
    positions = Positions()
    positions.start_at(dict.fromkeys([TP(topic, 0) for topic in TOPIC_OF_KIND.values()] + [BROKEN], 0))
    intake = Intake(1_000, positions)
    for number, chunks in enumerate(good):
        for chunk in [*chunks, *[broken(number)] * (number % 2)]:
            await intake.put(chunk)

    async with flowing(engine, intake, tmp_path, policy) as sent:
        await wait_until_async(partial(is_empty, intake), 20)

    users = [{user_id.encode() for user_id in EventColumns.of_chunks(chunks).user_ids} for chunks in good]
    assert Counter(sent[policy.updates_topic]) == Counter(user for of_batch in users for user in of_batch)
    assert len(sent[policy.dead_letters_topic]) == EVENTS * (len(good) // 2)


async def is_empty(intake: Intake) -> bool:
    return not intake.num_records


def broken(number: int) -> Chunk:
    """As many records as a micro-batch takes, none of which can be used."""
    records = [ARecord(b"{", b"u1", BROKEN.topic, BROKEN.partition, number * EVENTS + i) for i in range(EVENTS)]
    return decode_chunk(BROKEN, 0, records, A_POLICY, NOW_MS)
