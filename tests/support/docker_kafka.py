"""Kafka as compose/compose.yaml starts it, under a project name and a port of its own."""

import os
import shutil
import subprocess
import uuid

from tests.support.java_kafka import free_ports
from tests.support.kafka import COMPOSE_FILE, NoKafkaError, kafka_image, wait_until_ready
from tests.support.waiting import wait_until

ANSWERS_WITHIN_S = 5
PULLED_WITHIN_S = 300
KILLED_WITHIN_S = 10


def why_not_docker() -> str:
    """Empty where this way is open: an engine answers, it has or can pull the image, and compose is there."""
    if shutil.which("docker") is None:
        return "no docker on the path"
    if not _runs(["docker", "version", "--format", "{{.Server.Version}}"], ANSWERS_WITHIN_S):
        return "no engine answers"
    image = kafka_image()
    if not _runs(["docker", "image", "inspect", image], ANSWERS_WITHIN_S) and not _runs(
        ["docker", "pull", "--quiet", image], PULLED_WITHIN_S
    ):
        return f"the engine can not pull {image}"
    return "" if compose_command() else "no docker compose"


def compose_command() -> list[str]:
    """`docker compose`, else Debian's `docker-compose`, else nothing."""
    if _runs(["docker", "compose", "version"], ANSWERS_WITHIN_S):
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else []


class DockerKafka:
    """The compose file's broker."""

    is_ours = True

    def __init__(self) -> None:
        (port,) = free_ports(1)
        self.bootstrap = f"127.0.0.1:{port}"
        self._port = str(port)
        project = f"interest-stream-test-{uuid.uuid4().hex[:8]}"
        self._command = [*compose_command(), "--project-name", project, "--file", str(COMPOSE_FILE)]
        self._compose("up", "--detach", "--no-deps", "kafka")
        self._container = self._compose("ps", "--quiet", "kafka").strip()
        self._wait_until_ready()

    def is_running(self) -> bool:
        done = _docker("inspect", "--format", "{{.State.Running}}", self._container)
        return done.strip() == "true"

    def stop(self) -> None:
        _docker("stop", self._container)

    def kill(self) -> None:
        if self.is_running():
            _docker("kill", "--signal", "KILL", self._container)
            wait_until(lambda: not self.is_running(), KILLED_WITHIN_S)

    def restart(self) -> None:
        self.stop()
        _docker("start", self._container)
        self._wait_until_ready()

    def close(self) -> None:
        self._compose("down", "--volumes", "--timeout", "0")

    def _wait_until_ready(self) -> None:
        try:
            wait_until_ready(self.bootstrap, self.is_running)
        except NoKafkaError as error:
            raise NoKafkaError(
                f"{error}; its log ends with: {_docker('logs', '--tail', '20', self._container)}"
            ) from None

    def _compose(self, *arguments: str) -> str:
        return _output([*self._command, *arguments], {**os.environ, "KAFKA_PORT": self._port})


def _docker(*arguments: str) -> str:
    return _output(["docker", *arguments])


def _output(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoKafkaError(f"{' '.join(command)} failed: {done.stderr[-2_000:]}")
    return done.stdout


def _runs(command: list[str], timeout_s: float) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=timeout_s, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False
