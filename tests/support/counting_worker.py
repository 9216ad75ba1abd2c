"""A worker that does nothing but note which records reach it: `python -m tests.support.counting_worker TOPIC LOG`.

Transport, positions, intake and agents are the product's. What comes out of the intake is written to LOG, a line
`partition item item …` a chunk, and only then committed, so that whatever is never written is skipped for good.
"""

import asyncio
import logging
import os
import sys
from typing import Any

import faust
from faust.types import TP

from models.inputs.features import CLICK
from stream.broker.positions import Positions
from stream.flow.agents import BatchAgents
from stream.flow.columns import EventColumns
from stream.flow.intake import Intake
from stream.users.admission import AdmissionPolicy

NEVER_LATE = AdmissionPolicy(allowed_lateness_ms=2**31, max_future_ms=2**31)


class CountingApp(faust.App):
    """Reads one topic; several of them share its partitions."""

    def __init__(self, topic: str, log: int, **options: Any) -> None:
        self.positions = Positions()
        self.fetch_max_wait_ms = 100
        self._intake = Intake(1_000, self.positions)
        self._log = log
        super().__init__(f"{topic}-counters", **options)
        BatchAgents(self, self._intake, self.positions, NEVER_LATE).register(topic, CLICK)
        self.on_partitions_revoked.connect(self._drop)  # type: ignore[arg-type]

    async def on_start(self) -> None:
        await super().on_start()
        self.add_future(self._count())

    async def _drop(self, _: Any, revoked: set[TP], **__: Any) -> None:
        self._intake.drop(revoked)
        self.positions.start_at({})  # others may go on with these partitions: what is committed decides

    async def _count(self) -> None:
        while not self.should_stop:
            await self._intake.wait(0.2)
            for chunk in self._intake.take(1_000):
                items = " ".join(EventColumns.of_chunks([chunk]).subjects)
                os.write(self._log, f"{chunk.tp.partition} {items}\n".encode())
                await asyncio.sleep(0.002)  # as much as a small micro-batch takes
                await self.consumer.commit_exactly({chunk.tp: chunk.next_offset})  # type: ignore[attr-defined]


def main() -> None:
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")  # who had what, if a run ever stands still
    topic, path = sys.argv[1:3]
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    app = CountingApp(
        topic,
        log,
        broker=f"batch://{os.environ['COUNTED_BROKER']}",
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.0,
        broker_max_poll_records=200,
        stream_wait_empty=False,
        store="memory://",
        web_enabled=False,
    )
    faust.Worker(
        app, loglevel="info", quiet=True, override_logging=False, redirect_stdouts=False
    ).execute_from_commandline()


if __name__ == "__main__":
    main()
