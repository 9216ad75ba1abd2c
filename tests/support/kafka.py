"""A real Kafka for tests, by whatever way this machine allows; knows nothing of what is sent through it.

`python -m tests.support.kafka` starts one by hand, prints its address and keeps it until Ctrl-C.
"""

import logging
import os
import re
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "compose" / "compose.yaml"

ADDRESS_VARIABLE = "KAFKA_BOOTSTRAP"  # use this broker; it is not ours to kill
WAY_VARIABLE = "KAFKA_WAY"  # "docker" or "java": this way or none
READY_WITHIN_S = 60  # a start takes 3 s, on two busy cores up to 20


class NoKafkaError(Exception):
    """No broker can be had here; the text says what to install."""


class Kafka(Protocol):
    """One broker. After `kill` and `restart` it has the same address and the same data."""

    @property
    def bootstrap(self) -> str: ...
    @property
    def is_ours(self) -> bool: ...
    def is_running(self) -> bool: ...
    def stop(self) -> None:
        """SIGTERM, and waits for the end."""

    def kill(self) -> None:
        """SIGKILL, and waits for the end."""

    def restart(self) -> None:
        """Starts it again (stops it first where it runs) and waits until it answers."""

    def close(self) -> None:
        """Ends it and deletes its data."""


class ForeignKafka:
    """Somebody else's broker, used as it is."""

    is_ours = False

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        wait_until_ready(bootstrap, is_running=lambda: True)

    def is_running(self) -> bool:
        return True

    def stop(self) -> None:
        raise NoKafkaError(
            f"{self.bootstrap} is not ours to stop; unset {ADDRESS_VARIABLE} to test with a broker of our own"
        )

    kill = restart = stop

    def close(self) -> None:
        """Leaves it running."""


def start_kafka(environ: Mapping[str, str] = os.environ) -> Kafka:
    """A broker that answers: the one that the environment names, else one in Docker, else one in Java.

    Raises:
        NoKafkaError: neither can be had.
    """
    if bootstrap := environ.get(ADDRESS_VARIABLE):
        return ForeignKafka(bootstrap)
    return start_own_kafka(environ)


def start_own_kafka(environ: Mapping[str, str] = os.environ) -> Kafka:
    """A broker that tests may kill."""
    from tests.support.docker_kafka import DockerKafka, why_not_docker  # noqa: PLC0415 they build on this file
    from tests.support.java_kafka import JavaKafka, why_not_java  # noqa: PLC0415

    ways: dict[str, tuple[Callable[[], str], Callable[[], Kafka]]] = {
        "docker": (why_not_docker, DockerKafka),
        "java": (why_not_java, JavaKafka),
    }
    wanted = environ.get(WAY_VARIABLE)
    if wanted not in (None, "", *ways):
        raise NoKafkaError(f"{WAY_VARIABLE}={wanted}; expected docker or java")
    reasons = []
    for name, (why_not, start) in ways.items():
        if wanted in (None, "", name):
            if not (reason := why_not()):
                return start()
            reasons.append(f"{name}: {reason}")
    raise NoKafkaError(
        "the tests need an Apache Kafka; start Docker, or install Java 17 and Maven "
        f"(Debian and Ubuntu: apt-get install openjdk-17-jre-headless maven), or set {ADDRESS_VARIABLE} "
        f"({'; '.join(reasons)})"
    )


def kafka_image() -> str:
    """The pinned image, as compose.yaml has it: the one place that says which Kafka this is."""
    found = re.search(r"^\s*image: (apache/kafka:[\d.]+)$", COMPOSE_FILE.read_text(), re.MULTILINE)
    if not found:
        raise NoKafkaError(f"{COMPOSE_FILE} has no line `image: apache/kafka:<version>`")
    return found[1]


def kafka_version() -> str:
    """Its version."""
    return kafka_image().partition(":")[2]


def wait_until_ready(bootstrap: str, is_running: Callable[[], bool]) -> None:
    """Returns once the broker lists its topics: an open port says too little.

    Raises:
        NoKafkaError: it ended, or did not answer in time.
    """

    def answers_or_ended() -> bool:
        return not is_running() or _lists_topics(bootstrap)

    try:
        wait_until(answers_or_ended, READY_WITHIN_S)
    except TimeoutError:
        raise NoKafkaError(f"no Kafka answers at {bootstrap} within {READY_WITHIN_S} s") from None
    if not is_running():
        raise NoKafkaError(f"the Kafka at {bootstrap} ended before it answered")


def _lists_topics(bootstrap: str) -> bool:
    host, _, port = bootstrap.rpartition(":")
    try:
        socket.create_connection(
            (host, int(port)), timeout=1
        ).close()  # an admin client that finds nobody leaves a thread
        admin = KafkaAdminClient(bootstrap_servers=bootstrap, bootstrap_timeout_ms=1_000, request_timeout_ms=2_000)
        try:
            admin.list_topics()
        finally:
            admin.close()
    except (OSError, KafkaError):
        return False
    return True


def _keep_one_until_interrupted() -> None:
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    broker = start_kafka()
    try:
        print(broker.bootstrap, flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    finally:
        broker.close()


if __name__ == "__main__":
    _keep_one_until_interrupted()
