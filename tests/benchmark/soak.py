"""Whether a worker's memory and lag stay flat: a steady rate against a real Kafka for as long as wanted.

    .venv/bin/python -m tests.benchmark.soak [--minutes 30] [--rate 500] [--checkpoint-s 10]

Prints a line a minute on stderr and one JSON object at the end. Slopes leave out the first third of the time: caches
fill, and all users, items and examples get their places.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from confluent_kafka import Producer

from stream.broker.topics import create_topics
from stream.records.events import encode_event
from stream.settings import Settings
from tests.benchmark.resident import resident_bytes
from tests.support.builders import a_click, a_purchase, a_search
from tests.support.kafka import start_kafka
from tests.support.worker import WorkerProcess

USERS, ITEMS = 2_000, 500  # all of them are met within the first third
TICK_S = 0.1
SAMPLE_EVERY_S = 1.0


class Sample(NamedTuple):
    """Where the worker stood after `at_s` seconds."""

    at_s: float
    resident_mb: float
    lag: int


class Load:
    """Sends events at a steady rate, whoever reads them."""

    def __init__(self, settings: Settings, rate: float) -> None:
        self._producer = Producer({"bootstrap.servers": settings.broker, "linger.ms": 5, "log_level": 0})
        self._topics = settings.input_topics
        self._rate = rate
        self._random = np.random.default_rng(0)
        self._began = time.monotonic()
        self.num_sent = 0

    def catch_up(self) -> None:
        """Send what is due by now."""
        due = int((time.monotonic() - self._began) * self._rate) - self.num_sent
        for _ in range(due):
            kind = int(self._random.choice(3, p=[0.8, 0.1, 0.1]))
            user, item = f"u{self._random.integers(USERS)}", f"i{self._random.integers(ITEMS)}"
            event = (a_click, a_purchase, a_search)[kind](user, item, int(time.time() * 1000))
            event.event_id = f"e{self.num_sent}"
            key, value = encode_event(event)
            self._producer.produce(self._topics[kind], key=key, value=value)
            self.num_sent += 1
        self._producer.poll(0)

    def finish(self) -> None:
        """Return when the broker has all of it."""
        self._producer.flush()


def slope_per_hour(samples: list[Sample], column: str) -> float:
    """Least squares over all but the first third."""
    late = [sample for sample in samples if sample.at_s >= samples[-1].at_s / 3]
    return float(np.polyfit([s.at_s for s in late], [getattr(s, column) for s in late], 1)[0]) * 3600


def watch(worker: WorkerProcess, load: Load, minutes: float) -> list[Sample]:
    """Keep the load up and look at the worker."""
    samples: list[Sample] = []
    began = time.monotonic()
    while (at_s := time.monotonic() - began) < minutes * 60:
        load.catch_up()
        if at_s >= len(samples) * SAMPLE_EVERY_S:
            samples.append(
                Sample(at_s, resident_bytes(worker.process.pid) / 2**20, load.num_sent - worker.status.records)
            )
            if len(samples) % 60 == 0:
                print(f"{at_s / 60:.0f} min: {samples[-1].resident_mb:.0f} MB, lag {samples[-1].lag}", file=sys.stderr)
        time.sleep(TICK_S)
    return samples


def report(samples: list[Sample], rate: float, worker: WorkerProcess) -> dict[str, float]:
    """What is printed at the end."""
    late = [sample for sample in samples if sample.at_s >= samples[-1].at_s / 3]
    return {
        "minutes": round(samples[-1].at_s / 60, 1),
        "rate_per_s": rate,
        "records": worker.status.records,
        "resident_mb_at_a_third": round(late[0].resident_mb, 1),
        "resident_mb_at_the_end": round(late[-1].resident_mb, 1),
        "resident_mb_per_hour": round(slope_per_hour(samples, "resident_mb"), 1),
        "lag_median": float(np.median([sample.lag for sample in late])),
        "lag_max": max(sample.lag for sample in late),
        "lag_per_hour": round(slope_per_hour(samples, "lag"), 1),
        "recompiles": worker.status.recompiles,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=500, help="events a second")
    parser.add_argument("--checkpoint-s", type=float, default=10, help="between checkpoints")
    asked = parser.parse_args()
    broker = start_kafka()
    try:
        prefix = f"soak-{int(time.time())}."
        settings = Settings.load(broker=broker.bootstrap, topic_prefix=prefix)
        create_topics(settings)
        often = {"INTEREST_CHECKPOINT_INTERVAL_S": str(asked.checkpoint_s)}
        with (
            tempfile.TemporaryDirectory() as folder,
            WorkerProcess(broker.bootstrap, prefix, Path(folder), often) as worker,
        ):
            worker.wait_for(lambda s: s.state == "running", "it runs")
            load = Load(settings, asked.rate)
            samples = watch(worker, load, asked.minutes)
            load.finish()
            worker.wait_for(lambda s: s.records == load.num_sent, "all records are through")
            print(json.dumps(report(samples, asked.rate, worker)))
            worker.stop()
    finally:
        broker.close()


if __name__ == "__main__":
    main()
