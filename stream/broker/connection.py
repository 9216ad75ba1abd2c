"""Opening kafka-python clients, so that a broker that does not answer is one sentence. Knows nothing of topics."""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from kafka.errors import KafkaError, KafkaTimeoutError, SaslAuthenticationFailedError

from stream.broker.security import OPEN, Security
from stream.errors import ConfigError

CONNECT_TIMEOUT_MS = 5_000  # what a person waits for a broker that is not there; a live one answers in milliseconds
KNOCK_EVERY_S = 0.1
REFUSES_WITHIN_S = 0.2  # added to every TLS connect of a command; a refusal comes a round trip after the handshake
DEFAULT_PORT = 9092

ApiVersion = tuple[int, int]
C = TypeVar("C")


def connect(
    client: Callable[..., C],
    broker: str,
    api_version: ApiVersion | None = None,
    security: Security = OPEN,
    **config: Any,
) -> C:
    """A connected client.

    Args:
        client: `KafkaAdminClient`, `KafkaConsumer` or `KafkaProducer`.
        broker: bootstrap address; several are separated by commas.
        api_version: asked from the broker where `None`; librdkafka's mock cluster needs `(2, 0)`.
        security: how to be let in.
        config: handed to the client.

    Raises:
        ConfigError: nobody answers there, or not to us.
    """
    if api_version is not None:
        config["api_version"] = api_version
    config.setdefault("bootstrap_timeout_ms", CONNECT_TIMEOUT_MS)
    knock(broker, security)  # a client that finds nobody leaves its sockets open
    with broker_errors(broker):
        try:
            return client(bootstrap_servers=broker.split(","), **security.kafka_python(), **config)
        except KafkaTimeoutError as error:
            if not security.has_sasl:
                raise
            raise ConfigError(refused_login(broker, error)) from error  # somebody listens: see `knock`


@contextmanager
def broker_errors(broker: str) -> Iterator[None]:
    """Say what a client's error means for the operator."""
    try:
        yield
    except SaslAuthenticationFailedError as error:
        raise ConfigError(refused_login(broker, error)) from error
    except KafkaError as error:
        raise ConfigError(f"{missing_broker(broker)} ({error})") from error


def missing_broker(broker: str) -> str:
    """What is wrong and what to do when nobody answers at `broker`."""
    return f"no Kafka broker answers at {broker}; start one there, or say where it is with --broker or INTEREST_BROKER"


def refused_login(broker: str, reason: object) -> str:
    """What is wrong and what to do when a broker does not take our name and password."""
    return (
        f"the broker at {broker} does not let us in ({reason}); check sasl_username, sasl_password and sasl_mechanism"
    )


def knock(broker: str, security: Security = OPEN) -> None:
    """Return as soon as one of the addresses takes a connection, with TLS where that is wanted.

    Raises:
        ConfigError: none does, its certificate is not to be trusted, or there is no token to show.
    """
    context = security.ssl_context()
    if security.has_tokens:
        security.tokens.token()  # the clients would say less about it, and later
    addresses = [_address(address) for address in broker.split(",")]
    deadline = time.monotonic() + CONNECT_TIMEOUT_MS / 1000
    while True:
        for address in addresses:
            try:
                with socket.create_connection(address, timeout=CONNECT_TIMEOUT_MS / 1000) as plain:
                    if context is not None:
                        with context.wrap_socket(plain, server_hostname=address[0]) as encrypted:
                            _hear_refusal(encrypted)
            except ssl.SSLCertVerificationError as error:
                raise ConfigError(
                    f"the certificate of the broker at {broker} is not trusted ({error.verify_message}); "
                    "set ssl_cafile to the authority that signed it"
                ) from error
            except ssl.SSLError as error:
                raise ConfigError(_refused_tls(broker, security, error)) from error
            except (OSError, UnicodeError) as error:
                reason = error
            else:
                return
        if time.monotonic() > deadline:
            raise ConfigError(f"{missing_broker(broker)} ({reason})") from reason
        time.sleep(KNOCK_EVERY_S)


def _hear_refusal(encrypted: ssl.SSLSocket) -> None:
    """Raise what the broker says against our certificate: in TLS 1.3 the handshake is over by then."""
    encrypted.settimeout(REFUSES_WITHIN_S)
    with contextlib.suppress(TimeoutError):
        encrypted.recv(1)


def _refused_tls(broker: str, security: Security, error: ssl.SSLError) -> str:
    if "CERTIFICATE" in (error.reason or "") or "UNKNOWN_CA" in (error.reason or ""):
        what = "one that it knows" if security.ssl_certfile else "ours"
        return (
            f"the broker at {broker} wants a certificate ({error.reason}); set ssl_certfile and ssl_keyfile to {what}"
        )
    return (
        f"the broker at {broker} does not speak TLS with us ({error.reason}); "
        f"expected a TLS listener for security_protocol={security.security_protocol}"
    )


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.strip().rpartition(":")
    if not colon:
        return port, DEFAULT_PORT
    if not (host and port.isdecimal() and int(port) < 2**16):
        raise ConfigError(f"broker={text!r} is no address; expected host:port")
    return host.strip("[]"), int(port)
