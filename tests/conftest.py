"""Brokers for the tests that ask for one: a test that does not ask never starts one, and one that finds none fails."""

import os
import socket
import uuid
from collections.abc import Callable, Iterator

import hypothesis
import pytest
from kafka.net.inet import KafkaNetSocket

from tests.support.compiling import XLA_FLAGS
from tests.support.kafka import Kafka, NoKafkaError, start_kafka, start_own_kafka
from tests.support.worker import NICENESS_VARIABLE

os.environ.setdefault("XLA_FLAGS", XLA_FLAGS)  # of workers too
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")  # brokers live too short for more

hypothesis.settings.register_profile("busy machine", deadline=None)  # a first call may compile, or wait for others
hypothesis.settings.load_profile("busy machine")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that assert how long something takes do not disturb each other, however many run at once."""
    for item in items:
        if item.get_closest_marker("timely"):
            item.add_marker(pytest.mark.xdist_group("timely"))


class _Socket(socket.socket):
    """Closed when it is forgotten."""

    def __del__(self) -> None:
        self.close()


@pytest.fixture(scope="session", autouse=True)
def _close_what_kafka_python_forgets() -> Iterator[None]:
    """The socket of a connection that is refused, lost or given up, before it stands or before its first answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KafkaNetSocket, "socket", lambda self, *args: _Socket(*args))
        yield


@pytest.fixture(autouse=True)
def _make_way_for_timely_tests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ and not request.node.get_closest_marker("timely"):
        monkeypatch.setenv(NICENESS_VARIABLE, "5")  # three such workers get as much as one of a timely test


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """A real Kafka, the same one for the whole run. To stop or kill it, ask for `breakable_kafka` instead."""
    broker = _started(start_kafka)
    yield broker
    broker.close()


@pytest.fixture(scope="session")
def _own_kafka(kafka: Kafka) -> Iterator[Kafka]:
    if kafka.is_ours:
        yield kafka
        return
    broker = _started(start_own_kafka)
    yield broker
    broker.close()


@pytest.fixture
def breakable_kafka(_own_kafka: Kafka) -> Iterator[Kafka]:
    """A broker that the test may stop, kill and restart; the next test finds it running."""
    yield _own_kafka
    if not _own_kafka.is_running():
        _own_kafka.restart()


@pytest.fixture
def topic_prefix() -> str:
    """A prefix that no other test has: tests share a broker, not its topics."""
    return f"t-{uuid.uuid4().hex[:12]}."


def _started(start: Callable[[], Kafka]) -> Kafka:
    try:
        return start()
    except NoKafkaError as error:
        pytest.fail(str(error), pytrace=False)
