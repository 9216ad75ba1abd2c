"""Opening kafka-python clients, so that a broker that does not answer is one sentence. Knows nothing of topics."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from kafka.errors import KafkaError

from stream.errors import ConfigError

CONNECT_TIMEOUT_MS = 5_000  # what a person waits for a broker that is not there; a live one answers in milliseconds
KNOCK_EVERY_S = 0.1
DEFAULT_PORT = 9092

ApiVersion = tuple[int, int]
C = TypeVar("C")


def connect(client: Callable[..., C], broker: str, api_version: ApiVersion | None = None, **config: Any) -> C:
    """A connected client.

    Args:
        client: `KafkaAdminClient`, `KafkaConsumer` or `KafkaProducer`.
        broker: bootstrap address; several are separated by commas.
        api_version: asked from the broker where `None`; librdkafka's mock cluster needs `(2, 0)`.
        config: handed to the client.

    Raises:
        ConfigError: nobody answers there.
    """
    if api_version is not None:
        config["api_version"] = api_version
    config.setdefault("bootstrap_timeout_ms", CONNECT_TIMEOUT_MS)
    _knock(broker)  # a client that finds nobody leaves its sockets open
    with broker_errors(broker):
        return client(bootstrap_servers=broker.split(","), **config)


@contextmanager
def broker_errors(broker: str) -> Iterator[None]:
    """Say what a client's error means for the operator."""
    try:
        yield
    except KafkaError as error:
        raise ConfigError(f"{missing_broker(broker)} ({error})") from error


def missing_broker(broker: str) -> str:
    """What is wrong and what to do when nobody answers at `broker`."""
    return f"no Kafka broker answers at {broker}; start one there, or say where it is with --broker or INTEREST_BROKER"


def _knock(broker: str) -> None:
    """Return as soon as one of the addresses takes a connection."""
    addresses = [_address(address) for address in broker.split(",")]
    deadline = time.monotonic() + CONNECT_TIMEOUT_MS / 1000
    while True:
        for address in addresses:
            try:
                socket.create_connection(address, timeout=CONNECT_TIMEOUT_MS / 1000).close()
            except (OSError, UnicodeError) as error:
                reason = error
            else:
                return
        if time.monotonic() > deadline:
            raise ConfigError(f"{missing_broker(broker)} ({reason})") from reason
        time.sleep(KNOCK_EVERY_S)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.strip().rpartition(":")
    if not colon:
        return port, DEFAULT_PORT
    if not (host and port.isdecimal() and int(port) < 2**16):
        raise ConfigError(f"broker={text!r} is no address; expected host:port")
    return host.strip("[]"), int(port)
