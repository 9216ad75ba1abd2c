"""A peer: stock Faust, one agent a topic. Prints when it has seen how many events.

python -m tests.benchmark.peers.stock_faust BROKER TOPIC…                does nothing with each event
python -m tests.benchmark.peers.stock_faust BROKER --to TOPIC TOPIC…     sends it on as it is
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from typing import Any

import faust
from faust.types import StreamT

SAYS_EVERY_S = 0.25


def build(broker: str, topics: Sequence[str], to: str | None) -> faust.App:
    """An app whose agents loop over events, and send them to the topic `to` if there is one."""
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
    out = app.topic(to, key_serializer="raw", value_serializer="raw") if to else None
    for name in topics:
        channel = app.topic(name, key_serializer="raw", value_serializer="raw", value_type=bytes)
        app.agent(channel, name=name)(_counting(name, counts, out))

    @app.task  # type: ignore[untyped-decorator]
    async def say() -> None:
        while not app.should_stop:
            print("count", time.monotonic(), sum(counts.values()), flush=True)
            await asyncio.sleep(SAYS_EVERY_S)

    return app


def _counting(name: str, counts: dict[str, int], out: Any) -> Any:
    async def loop(events: StreamT[Any]) -> None:
        async for _ in events:
            counts[name] += 1

    async def echo(events: StreamT[Any]) -> None:
        async for event in events.events():
            await out.send(key=event.key, value=event.value)
            counts[name] += 1

    return echo if out else loop


def main() -> None:
    """A worker, until it is killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("broker")
    parser.add_argument("topics", nargs="+")
    parser.add_argument("--to")
    asked = parser.parse_args()
    app = build(asked.broker, asked.topics, asked.to)
    faust.Worker(app, loglevel="error", quiet=True, redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main()
