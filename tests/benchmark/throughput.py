"""How fast a worker drains a backlog, learning from every event and not learning, beside a stock Faust agent.

    make peers

    .venv/bin/python -m tests.benchmark.throughput [--events 400000] [--users 100000] [--items 50000]

All read the same records from the same broker, one after the other, with default settings. What is counted is the time
between the first and the last tenth of the backlog: start-up and compilation are left out. Then echo loops, stock Faust
and quixstreams, which send on what they read and compute nothing.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream.broker.bulk_producer import BulkProducer
from stream.broker.topics import TopicNames, create_topics
from stream.settings import Settings
from tests.benchmark.figures import Figure, say, show
from tests.benchmark.peers import loops
from tests.benchmark.shop import Shop
from tests.support.kafka import Kafka, start_kafka
from tests.support.worker import WorkerProcess

COMMAND = ".venv/bin/python -m tests.benchmark.throughput"
DEFAULTS = {
    f"INTEREST_{name.upper()}": str(Settings.model_fields[name].default)
    for name in ("dim", "max_items", "max_queries", "learn_batch_size", "replay_capacity", "replay_ratio")
}
DEFAULTS |= {"INTEREST_MICRO_BATCH_SIZE": str(Settings.model_fields["micro_batch_size"].default)}
SHARES = {"faust": 1 / 8, "quixstreams": 1}  # of the backlog: the slow one need not see all of it
TENTH, GIVES_UP_AFTER_S = 0.1, 600.0


@contextmanager
def backlog(broker: Kafka, shop: Shop, events: int) -> Iterator[Settings]:
    """Settings of topics that hold `events` records."""
    settings = Settings.load(broker=broker.bootstrap, topic_prefix=f"backlog-{time.time_ns()}.")
    create_topics(settings)
    with BulkProducer(broker.bootstrap, TopicNames.of(settings)) as producer:
        for kind, key, value in shop.records(events, int(time.time() * 1000) - events):
            producer.send(kind, key, value)
    yield settings


class Meter:
    """The rate over the middle of a backlog.

    Args:
        total: records in it.
    """

    def __init__(self, total: int) -> None:
        self._from, self._to = TENTH * total, (1 - TENTH) * total
        self._began: tuple[float, int] | None = None
        self.rate: float | None = None

    def saw(self, at_s: float, count: int) -> None:
        """`count` records were through at `at_s`."""
        if self._began is None and count >= self._from:
            self._began = at_s, count
        elif self._began is not None and count >= self._to and self.rate is None:
            self.rate = (count - self._began[1]) / (at_s - self._began[0])


def of_worker(settings: Settings, events: int, extra: dict[str, str]) -> float:
    """Records a second of a worker on a fresh state."""
    meter = Meter(events)
    with tempfile.TemporaryDirectory() as folder:
        with WorkerProcess(settings.broker, settings.topic_prefix, Path(folder), DEFAULTS | extra) as worker:
            deadline, last = time.monotonic() + GIVES_UP_AFTER_S, 0
            while meter.rate is None and time.monotonic() < deadline and worker.process.poll() is None:
                if worker.status.records != last:
                    last = worker.status.records
                    meter.saw(time.monotonic(), last)
                time.sleep(0.01)
            status = worker.status
            say(
                f"learned {status.learned:,} of {status.records:,}, replayed {status.replayed:,}; {extra or 'defaults'}"
            )
            if meter.rate is None:
                raise RuntimeError(f"the backlog was not through: {status}\n{worker.log()[-2_000:]}")
        return meter.rate


def of_peer(command: loops.Command, events: int) -> float:
    """Records a second of a process that prints `count SECONDS RECORDS`."""
    meter = Meter(events)
    with loops.running(command) as lines:
        for at_s, count in loops.counts(lines):
            meter.saw(at_s, count)
            if meter.rate is not None:
                return meter.rate
    raise RuntimeError(f"{command} ended before the backlog was through")


def measure(broker: Kafka, shop: Shop, events: int) -> None:
    """The first two rows of the table, then what the worker does beside loops that send on what they read."""
    with backlog(broker, shop, events) as settings:
        say(f"{events:,} records are there")
        stock = of_peer(loops.stock_faust(settings), events)
        say(f"stock Faust: {stock:,.0f} a second")
        rates = {}
        for name, extra in (("learning", {}), ("no_learning", {"INTEREST_LEARNING": "false"})):
            own = {"INTEREST_APP_ID": f"{name}-{time.time_ns()}"}
            rates[name] = of_worker(settings, events, own | extra)
            rate = round(rates[name])
            show(Figure(f"throughput_{name}", rate, "events/s", COMMAND, round(stock), loops.DOES_NOTHING))
        for name, peer_name in loops.ECHOES.items():
            command = loops.echo(name, settings, settings.dead_letters)
            echo = round(of_peer(command, int(events * SHARES[name])))
            say(f"{name} echo: {echo:,} a second")
            learning = round(rates["learning"])
            show(Figure(f"learning_beside_{name}_echo", learning, "events/s", COMMAND, echo, peer_name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=50_000)
    asked = parser.parse_args()
    broker = start_kafka()
    try:
        measure(broker, Shop(asked.users, asked.items), asked.events)
    finally:
        broker.close()


if __name__ == "__main__":
    main()
