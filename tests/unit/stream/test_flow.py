"""The loop of a worker, on a real engine, intake and store; what it would publish is let go."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from faust.types import TP

from checkpoints.store import CheckpointStore
from stream.broker.positions import Positions
from stream.broker.publisher import Publisher
from stream.flow.engine import Engine
from stream.flow.intake import Intake
from stream.flow.learning import LATE_BATCHES, MAX_PENDING_BATCHES
from stream.flow.loop import Flow, FlowPolicy
from stream.flow.model_thread import ModelThread
from stream.metrics import Meters
from stream.records.updates import EncodedRecord
from tests.property.stream.test_bits import EVENTS, a_micro_batch
from tests.support.builders import TOPIC_OF_KIND
from tests.support.small_world import ALL_SCORED, SETTINGS

BATCH = SETTINGS.learn_batch_size


class Nowhere:
    """A publisher whose broker acknowledges at once, and a consumer that commits."""

    async def send(self, topic: str, records_of: Mapping[int, Sequence[EncodedRecord]]) -> None:
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
async def flowing(engine: Engine, intake: Intake, folder: Path) -> AsyncIterator[None]:
    """A flow runs until the context is left."""
    thread, nowhere = ModelThread(), Nowhere()
    flow = Flow(
        FlowPolicy.of(ALL_SCORED),
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
        yield
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
