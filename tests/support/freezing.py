"""Stops a process or a broker in its tracks for a while: it lives, and answers nobody."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.compose import docker
from tests.support.docker_kafka import DockerKafka
from tests.support.java_kafka import JavaKafka
from tests.support.kafka import Kafka, NoKafkaError


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """SIGSTOP at first, SIGCONT in the end."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def frozen_broker(kafka: Kafka) -> Iterator[None]:
    """A broker that takes connections and says nothing."""
    match kafka:
        case JavaKafka(_process=process) if process is not None:
            with frozen(process.pid):
                yield
        case DockerKafka(_container=container):
            docker("pause", container)
            try:
                yield
            finally:
                docker("unpause", container)
        case _:
            raise NoKafkaError(f"{kafka.bootstrap} is not ours to stop")
