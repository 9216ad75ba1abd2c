"""A peer: stock Faust, one agent a topic that does nothing with each event. Prints when it has seen how many.

python -m tests.benchmark.peers.stock_faust BROKER TOPIC…
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Any

import faust
from faust.types import StreamT

SAYS_EVERY_S = 0.25


def build(broker: str, topics: Sequence[str]) -> faust.App:
    """An app whose agents loop over events."""
    app = faust.App(
        f"stock-{time.time_ns()}",
        broker=f"kafka://{broker}",
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        store="memory://",
        web_enabled=False,
        worker_redirect_stdouts=False,
    )
    counts = dict.fromkeys(topics, 0)
    for name in topics:
        channel = app.topic(name, key_serializer="raw", value_serializer="raw", value_type=bytes)
        app.agent(channel, name=name)(_counting(name, counts))

    @app.task  # type: ignore[untyped-decorator]
    async def say() -> None:
        while not app.should_stop:
            print("count", time.monotonic(), sum(counts.values()), flush=True)
            await asyncio.sleep(SAYS_EVERY_S)

    return app


def _counting(name: str, counts: dict[str, int]) -> Any:
    async def agent(events: StreamT[Any]) -> None:
        async for _ in events:
            counts[name] += 1

    return agent


if __name__ == "__main__":
    faust.Worker(
        build(sys.argv[1], sys.argv[2:]), loglevel="error", quiet=True, redirect_stdouts=False
    ).execute_from_commandline()
