"""Workers come and go while records flow: the transport must not skip one (stock timing lost up to 360 of 43,000)."""

import os
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
from tests.support.chaos import ROUNDS, chance_of
from tests.support.kafka import Kafka
from tests.support.waiting import wait_until

PARTITIONS = 4
WORKERS = 5
RATE = 600  # records a second, so that every rebalance finds some under way


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
        with log.with_suffix(".said").open("wb") as file:
            self.alive.append(subprocess.Popen(command, env=self._env, stdout=file, stderr=file))

    def have_joined(self) -> bool:
        """Whether all that are alive have been in the group."""
        return all("Successfully synced" in said(log) for log in self._logs())

    def end_one(self, victim: subprocess.Popen[bytes], how: signal.Signals) -> None:
        victim.send_signal(how)
        victim.wait(30)
        self.alive.remove(victim)

    def end_all(self) -> None:
        for worker in list(self.alive):
            self.end_one(worker, signal.SIGKILL)

    def story(self) -> str:
        """What those that are alive said last, and when they had their last records."""
        logs = self._logs()
        ages = {log: f"{time.time() - log.stat().st_mtime:.1f} s ago" for log in logs if log.exists()}
        return "\n".join(f"{log.name}, last record {ages.get(log)}: {said(log)[-3_000:]}" for log in logs)

    def _logs(self) -> list[Path]:
        return [Path(str(worker.args[-1])) for worker in self.alive]  # type: ignore[index]

    def missing(self, num_sent: dict[int, int]) -> dict[int, list[int]]:
        """Numbers of the records that reached nobody, by partition."""
        missing = {partition: set(range(count)) for partition, count in num_sent.items()}
        for log in self._folder.glob("*.log"):
            for line in log.read_text().splitlines():
                partition, *numbers = map(int, line.split())
                missing[partition].difference_update(numbers)
        return {partition: sorted(numbers) for partition, numbers in missing.items() if numbers}


def said(log: Path) -> str:
    """What the worker with this log has said."""
    return log.with_suffix(".said").read_text()


class SteadyProducer(threading.Thread):
    """Sends clicks round-robin over the partitions until it is told to stop; every other round is a transaction.

    The end of a transaction is a hole in the offsets that a reader sees: an honest one, beside those to be noticed.
    A record's item is its number within its partition.
    """

    def __init__(self, broker: str, topic: str) -> None:
        super().__init__()
        connection = {"bootstrap.servers": broker, "linger.ms": 5}
        self._plain = Producer(connection)
        self._transactional = Producer({**connection, "transactional.id": topic})
        self._topic = topic
        self._enough = threading.Event()
        self.num_sent = dict.fromkeys(range(PARTITIONS), 0)

    def run(self) -> None:
        self._transactional.init_transactions()
        while not self._enough.wait(2 * PARTITIONS / RATE):
            self._transactional.begin_transaction()
            for producer in (self._plain, self._transactional):
                self._send_round(producer)
            self._transactional.commit_transaction()
        self._plain.flush()

    def _send_round(self, producer: Producer) -> None:
        for partition, number in self.num_sent.items():
            key, value = encode_event(a_click(item=str(number)))
            producer.produce(self._topic, key=key, value=value, partition=partition)
            self.num_sent[partition] += 1
        producer.poll(0)

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
    chance = chance_of("rebalance")
    topic = f"{topic_prefix}counted"
    swarm = Swarm(kafka.bootstrap, topic, tmp_path)
    try:
        with flowing(kafka.bootstrap, topic) as producer:
            for _ in range(2 * ROUNDS):
                while len(swarm.alive) < WORKERS:
                    swarm.start_one()
                    time.sleep(chance.uniform(0.5, 2.0))  # the chaos itself, not a wait for something
                wait_until(swarm.have_joined, 120, "all workers to join")  # on a busy machine a start takes long
                while len(swarm.alive) > 1:
                    time.sleep(chance.uniform(0.5, 2.0))
                    how = chance.choice([signal.SIGTERM, signal.SIGKILL])
                    swarm.end_one(chance.choice(swarm.alive), how)
        wait_until(lambda: not swarm.missing(producer.num_sent), 60, "every record to reach a worker")
        print(f"{sum(producer.num_sent.values())} records")
    except TimeoutError:
        skipped = {p: f"{len(at)} from {at[0]} to {at[-1]}" for p, at in swarm.missing(producer.num_sent).items()}
        pytest.fail(f"skipped by partition: {skipped}; {swarm.story()}")
    finally:
        swarm.end_all()
