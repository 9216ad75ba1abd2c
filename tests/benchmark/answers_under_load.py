"""How long a worker's HTTP takes to answer at 100,000 items while events come at a steady rate.

    .venv/bin/python -m tests.benchmark.answers_under_load [--rate 1000] [--seconds 60] [--items 100000]

One JSON line for each path and percentile; its peer is `/livez` in the same seconds, which asks nothing of the model:
what is above that is waiting for the model thread and its answer.
"""

import argparse
import http.client
import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from aiohttp.test_utils import unused_port

from stream.broker.bulk_producer import BulkProducer
from stream.broker.topics import TopicNames, create_topics
from stream.records.events import Click, encode_event
from stream.settings import Settings
from tests.benchmark.figures import Figure, say, show
from tests.benchmark.load import Load
from tests.benchmark.shop import Shop
from tests.benchmark.throughput import DEFAULTS
from tests.support.kafka import Kafka, start_kafka
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProcess

COMMAND = ".venv/bin/python -m tests.benchmark.answers_under_load"
USERS = 10_000
ASKS_A_S = 20  # of each path
PEER, PEER_NAME = "/livez", "/livez at the same time"
PATHS = {PEER: PEER, "interest": "/users/user-{}/interest", "recommendations": "/users/user-{}/recommendations"}
WARM_UP_S = 10.0


def send_steadily(bootstrap: str, items: int, rate: float) -> None:
    """A shop's events at a steady rate until the process is ended: one of its own, so that it holds nobody up."""
    names, shop = TopicNames.of(Settings.load(broker=bootstrap)), Shop(USERS, items)
    records = shop.records(10_000_000, int(time.time() * 1000))
    with BulkProducer(bootstrap, names, linger_ms=5) as producer:
        Load(producer, records, rate).run()


@contextmanager
def steady_load(bootstrap: str, items: int, rate: float) -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(target=send_steadily, args=(bootstrap, items, rate))
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def send_every_item(producer: BulkProducer, items: int) -> None:
    first_ms = int(time.time() * 1000) - items
    for n in range(items):
        click = Click(f"user-{n % USERS}", f"item-{n}", first_ms + n)
        producer.send(0, *encode_event(click))


def ask(port: int, seconds: float) -> Mapping[str, np.ndarray]:
    """Milliseconds of the answers by path."""
    times: dict[str, list[float]] = {name: [] for name in PATHS}
    random, connection = np.random.default_rng(1), http.client.HTTPConnection("127.0.0.1", port)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for name, path in PATHS.items():
            began = time.perf_counter()
            connection.request("GET", path.format(random.integers(USERS)))
            answer = connection.getresponse()
            answer.read()
            times[name].append(1_000 * (time.perf_counter() - began))
            assert answer.status in (200, 404), answer.status
        time.sleep(1 / ASKS_A_S)
    return {name: np.array(some) for name, some in times.items()}


def tell(times: Mapping[str, np.ndarray]) -> None:
    for name in times.keys() - {PEER}:
        for percent in (50, 99):
            ours, peer = (round(float(np.percentile(times[of], percent)), 2) for of in (name, PEER))
            show(Figure(f"{name}_under_load_p{percent}", ours, "ms", COMMAND, peer, PEER_NAME))


def measure(broker: Kafka, items: int, rate: float, seconds: float) -> None:
    settings = Settings.load(broker=broker.bootstrap)
    create_topics(settings)
    port = unused_port()
    own = DEFAULTS | {"INTEREST_MAX_ITEMS": str(items), "INTEREST_WEB_PORT": str(port)}
    names = TopicNames.of(settings)
    with tempfile.TemporaryDirectory() as folder, BulkProducer(broker.bootstrap, names, linger_ms=5) as producer:
        send_every_item(producer, items)
        producer.flush()
        with WorkerProcess(broker.bootstrap, "", Path(folder), own) as worker:
            say("the worker takes in every item once")
            wait_until(lambda: worker.status.records >= items and not worker.status.queued, 900, "items are known")
            with steady_load(broker.bootstrap, items, rate):
                ask(port, WARM_UP_S)
                times = ask(port, seconds)
            say(f"{worker.status}")
            for line in metrics(port):
                say(line)
            tell(times)


def metrics(port: int) -> list[str]:
    """How long the model thread's calls took."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    return [line for line in lines if line.startswith(("interest_micro_batch_seconds_", "interest_learn_seconds_"))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=1_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--items", type=int, default=100_000)
    asked = parser.parse_args()
    broker = start_kafka()
    try:
        measure(broker, asked.items, asked.rate, asked.seconds)
    finally:
        broker.close()


if __name__ == "__main__":
    main()
