"""Workers come and go while records flow: the transport must not skip one (stock timing lost up to 360 of 43,000)."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Producer
from kafka import KafkaAdminClient

from stream.records.events import encode_event
from tests.support.builders import a_click
from tests.support.kafka import Kafka
from tests.support.waiting import wait_until

PARTITIONS = 4
WORKERS = 5
ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "2"))
RATE = 600  # records a second, so that every rebalance finds some under way
SEED = int(os.environ.get("CHAOS_SEED", random.randrange(10_000)))


class Swarm:
    """Counting workers that share a topic; each writes what reached it to a file of its own."""

    def __init__(self, broker: str, topic: str, folder: Path) -> None:
        self._env = os.environ | {"COUNTED_BROKER": broker}
        self._topic, self._folder = topic, folder
        self.alive: list[subprocess.Popen[bytes]] = []
        self._num_started = 0

    def start_one(self) -> None:
        log = self._folder / f"{self._num_started}.log"
        self._num_started += 1
        command = [sys.executable, "-m", "tests.support.counting_worker", self._topic, str(log)]
        self.alive.append(
            subprocess.Popen(command, env=self._env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )

    def end_one(self, victim: subprocess.Popen[bytes], how: signal.Signals) -> None:
        victim.send_signal(how)
        victim.wait(30)
        self.alive.remove(victim)

    def end_all(self) -> None:
        for worker in list(self.alive):
            self.end_one(worker, signal.SIGKILL)

    def missing(self, ends: dict[int, int]) -> dict[int, list[int]]:
        """Offsets below `ends` that reached nobody, by partition."""
        missing = {partition: set(range(end)) for partition, end in ends.items()}
        for log in self._folder.glob("*.log"):
            for line in log.read_text().splitlines():
                partition, start, stop = map(int, line.split())
                missing[partition].difference_update(range(start, stop))
        return {partition: sorted(offsets) for partition, offsets in missing.items() if offsets}


class SteadyProducer(threading.Thread):
    """Sends clicks round-robin over the partitions until it is told to stop."""

    def __init__(self, broker: str, topic: str) -> None:
        super().__init__()
        self._producer = Producer({"bootstrap.servers": broker, "linger.ms": 5})
        self._topic = topic
        self._enough = threading.Event()
        self.ends = dict.fromkeys(range(PARTITIONS), 0)

    def run(self) -> None:
        key, value = encode_event(a_click())
        while not self._enough.wait(PARTITIONS / RATE):
            for partition in range(PARTITIONS):
                self._producer.produce(self._topic, key=key, value=value, partition=partition)
                self.ends[partition] += 1
            self._producer.poll(0)
        self._producer.flush()

    def stop(self) -> None:
        self._enough.set()
        self.join()


@contextmanager
def flowing(broker: str, topic: str) -> Iterator[SteadyProducer]:
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.create_topics({topic: {"num_partitions": PARTITIONS, "replication_factor": 1}})
    admin.close()
    producer = SteadyProducer(broker, topic)
    producer.start()
    try:
        yield producer
    finally:
        producer.stop()


def test_no_record_is_skipped_while_workers_come_and_go(kafka: Kafka, topic_prefix: str, tmp_path: Path):
    print(f"seed {SEED}: CHAOS_SEED={SEED} repeats this run")
    chance = random.Random(SEED)
    topic = f"{topic_prefix}counted"
    swarm = Swarm(kafka.bootstrap, topic, tmp_path)
    try:
        with flowing(kafka.bootstrap, topic) as producer:
            for _ in range(ROUNDS):
                while len(swarm.alive) < WORKERS:
                    swarm.start_one()
                    time.sleep(chance.uniform(0.5, 2.0))  # the chaos itself, not a wait for something
                while len(swarm.alive) > 1:
                    time.sleep(chance.uniform(0.5, 2.0))
                    how = chance.choice([signal.SIGTERM, signal.SIGKILL])
                    swarm.end_one(chance.choice(swarm.alive), how)
        wait_until(lambda: not swarm.missing(producer.ends), 60, "every record to reach a worker")
    except TimeoutError:
        skipped = {p: f"{len(at)} from {at[0]} to {at[-1]}" for p, at in swarm.missing(producer.ends).items()}
        pytest.fail(f"skipped by partition: {skipped} of {producer.ends}")
    finally:
        swarm.end_all()
