"""How long from sending an event to its update in a subscriber's hands, learning on, beside loops that compute nothing.

    make peers
    .venv/bin/python -m tests.benchmark.latency [--rate 1000] [--seconds 24] [--plots docs/performance]

The loops send every event on as it is: bare aiokafka, stock Faust, and quixstreams, which is librdkafka. All run all
the time; the load goes to one and then to the next, in turns, so that none takes the processor from another and all see
the same machine. An event counts as answered by the first record of its user that is of its time or a newer one.
"""

import argparse
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import numpy as np
from confluent_kafka import Consumer, TopicPartition

from stream.broker.bulk_producer import BulkProducer
from stream.broker.topics import TopicNames, create_topics
from stream.flow.item_vectors import LOOKED_AT
from stream.memory import search_rarely
from stream.settings import Settings
from tests.benchmark import pictures
from tests.benchmark.figures import Figure, say, show
from tests.benchmark.load import Load
from tests.benchmark.peers import loops
from tests.benchmark.shop import Shop
from tests.benchmark.throughput import DEFAULTS
from tests.support.kafka import Kafka, start_kafka
from tests.support.worker import WorkerProcess

COMMAND = ".venv/bin/python -m tests.benchmark.latency"
TURNS, WARM_UP_S, SETTLE_S = 3, 5.0, 1.0
ANSWERED_WITHIN_S = 10.0
SIDES = {"bare": loops.BARE, **loops.ECHOES, "worker": "interest-stream, learning"}
PERCENTILES = {"p50": 50, "p99": 99, "max": 100}


class Stamp(msgspec.Struct):
    """What events and updates have in common."""

    user_id: str
    time_ms: int


stamp_of = msgspec.json.Decoder(Stamp).decode


class Waiting:
    """Events that were sent and are not answered yet.

    Attributes:
        latencies_s: of those that were answered, in that order.
    """

    def __init__(self) -> None:
        self.latencies_s: list[float] = []
        self._sent: defaultdict[str, deque[tuple[int, float]]] = defaultdict(deque)
        self._num_sent = 0

    def __len__(self) -> int:
        return self._num_sent - len(self.latencies_s)

    def sent(self, stamp: Stamp, at_s: float) -> None:
        """An event is about to be sent; those of a user come in the order of their times."""
        self._num_sent += 1
        self._sent[stamp.user_id].append((stamp.time_ms, at_s))

    def answered(self, stamp: Stamp, at_s: float) -> None:
        """A record came that contains all events of its user up to its time."""
        events = self._sent[stamp.user_id]
        while events and events[0][0] <= stamp.time_ms:
            self.latencies_s.append(at_s - events.popleft()[1])


class Noting:
    """Sends on and notes when."""

    def __init__(self, producer: BulkProducer, waiting: Waiting) -> None:
        self._producer, self._waiting = producer, waiting

    def send(self, event_kind: int, key: bytes, value: bytes) -> None:
        self._waiting.sent(stamp_of(value), time.perf_counter())
        self._producer.send(event_kind, key, value)

    def poll(self) -> None:
        self._producer.poll()


@contextmanager
def consumer_of(settings: Settings) -> Iterator[Consumer]:
    """Reads what is sent to `settings.updates` from now on."""
    consumer = Consumer({"bootstrap.servers": settings.broker, "group.id": "latency", "enable.auto.commit": False})
    partitions = [TopicPartition(settings.updates, partition) for partition in range(settings.partitions)]
    ends = [consumer.get_watermark_offsets(partition)[1] for partition in partitions]
    consumer.assign([TopicPartition(p.topic, p.partition, end) for p, end in zip(partitions, ends, strict=True)])
    try:
        yield consumer
    finally:
        consumer.close()


def measure_one(settings: Settings, shop: Shop, rate: float, seconds: float) -> list[float]:
    """Latencies of one side under its load, in seconds."""
    waiting = Waiting()
    records = shop.records(int(rate * seconds), int(time.time() * 1000))
    names = TopicNames.of(settings)
    with consumer_of(settings) as consumer, BulkProducer(settings.broker, names, linger_ms=0) as producer:
        consumer.poll(SETTLE_S)  # its first fetches, which may take half a second, are not what is measured
        load = Load(Noting(producer, waiting), records, rate)
        load.start()
        last_s = time.monotonic()
        while load.is_alive() or waiting:
            record = consumer.poll(0.05)
            if record is not None and not record.error() and (value := record.value()):
                waiting.answered(stamp_of(value), time.perf_counter())
                last_s = time.monotonic()
            elif time.monotonic() - last_s > ANSWERED_WITHIN_S:
                raise RuntimeError(f"{len(waiting)} events of {settings.topic_prefix} were not answered")
        load.close()
    return waiting.latencies_s


def take_turns(sides: Mapping[str, Settings], shop: Shop, rate: float, seconds: float) -> dict[str, list[float]]:
    """Latencies of each side, in seconds, all turns together."""
    latencies: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(TURNS):
        for name, settings in sides.items():
            some = measure_one(settings, Shop(shop.users, shop.items, 1 + turn), rate, seconds / TURNS)
            say(f"{name}: p50 {1000 * np.percentile(some, 50):.1f} ms, p99 {1000 * np.percentile(some, 99):.1f} ms")
            latencies[name] += some
    return latencies


def fill(settings: Settings, shop: Shop, worker: WorkerProcess) -> None:
    """Let the worker learn every item first, and send their vectors, as one that has run for long."""
    count = 2 * shop.items
    with BulkProducer(settings.broker, TopicNames.of(settings)) as producer:
        for record in shop.records(count, int(time.time() * 1000) - count):
            producer.send(*record)
    worker.wait_for(lambda status: status.records >= count and not status.queued, "it knows the items", 300)
    time.sleep(shop.items / LOOKED_AT)  # a round of item vectors each second


def measure(broker: Kafka, shop: Shop, rate: float, seconds: float) -> dict[str, list[float]]:
    """Latencies by side, in seconds."""
    prefix = f"latency-{time.time_ns()}."
    sides = {name: Settings.load(broker=broker.bootstrap, topic_prefix=f"{prefix}{name}.") for name in SIDES}
    for settings in sides.values():
        create_topics(settings)
    ours, bare = sides["worker"], sides["bare"]
    with ExitStack() as peers, tempfile.TemporaryDirectory() as folder:
        said = iter(peers.enter_context(loops.running(loops.bare_aiokafka(bare, bare.updates))))
        assert next(said, "") == "ready\n", "the bare loop did not start"
        for name in loops.ECHOES:  # which say nothing when they are ready, and answer later what was sent meanwhile
            peers.enter_context(loops.running(loops.echo(name, sides[name], sides[name].updates), is_heard=False))
        with WorkerProcess(broker.bootstrap, ours.topic_prefix, Path(folder), DEFAULTS) as worker:
            fill(ours, shop, worker)
            for settings in sides.values():
                measure_one(settings, shop, rate, WARM_UP_S)
            search_rarely()  # as a worker does: a search of all that is imported here would take .2 s off a side's turn
            latencies = take_turns(sides, shop, rate, seconds)
            assert worker.status.recompiles == 0, "something was compiled while it was measured"
            say(f"learned {worker.status.learned:,}, replayed {worker.status.replayed:,}")
    return latencies


def figures(latencies: dict[str, list[float]]) -> Iterator[Figure]:
    """p50, p99 and the longest, beside the bare loop; the first two beside the echoes too."""
    for name, percent in PERCENTILES.items():
        of = {side: round(1000 * float(np.percentile(some, percent)), 2) for side, some in latencies.items()}
        yield Figure(f"latency_{name}", of["worker"], "ms", COMMAND, of["bare"], SIDES["bare"])
        for side in loops.ECHOES if name != "max" else ():
            yield Figure(f"latency_{name}_beside_{side}_echo", of["worker"], "ms", COMMAND, of[side], SIDES[side])


def draw(latencies: dict[str, list[float]], rate: float, folder: Path) -> None:
    """The share of events that take longer than so many milliseconds."""
    title = f"share of events that take longer, {rate:,.0f} events/s"
    with pictures.picture(folder / "latency.png", title, "ms from an event to its update") as axes:
        for side, label in SIDES.items():
            sorted_ms = 1000 * np.sort(latencies[side])
            axes.plot(sorted_ms, 1 - np.arange(len(sorted_ms)) / len(sorted_ms), label=label)
        axes.set(xscale="log", yscale="log")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=1_000)
    parser.add_argument("--seconds", type=float, default=24, help="of load on each side, in turns")
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--items", type=int, default=50_000)
    pictures.add_option(parser)
    asked = parser.parse_args()
    broker = start_kafka()
    try:
        latencies = measure(broker, Shop(asked.users, asked.items), asked.rate, asked.seconds)
    finally:
        broker.close()
    for figure in figures(latencies):
        show(figure)
    if asked.plots:
        draw(latencies, asked.rate, asked.plots)


if __name__ == "__main__":
    main()
