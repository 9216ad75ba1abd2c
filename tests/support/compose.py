"""compose/compose.yaml under a project name and a port of its own: tests meet what users type."""

import os
import shutil
import subprocess
import uuid

from tests.support.java_kafka import free_ports
from tests.support.kafka import COMPOSE_FILE, NoKafkaError

ANSWERS_WITHIN_S = 5


class Compose:
    """The compose file's containers, networks and volumes of one test run."""

    def __init__(self) -> None:
        port, web_port, redis_port = free_ports(3)
        self.bootstrap = f"127.0.0.1:{port}"
        self._environment = {**os.environ, "KAFKA_PORT": str(port), "WEB_PORT": str(web_port)}
        self._environment["REDIS_PORT"] = str(redis_port)
        self.redis_url = f"redis://127.0.0.1:{redis_port}/0"
        project = f"interest-stream-test-{uuid.uuid4().hex[:8]}"
        self._command = [*compose_command(), "--project-name", project, "--file", str(COMPOSE_FILE)]

    def run(self, *arguments: str) -> str:
        """`docker compose <arguments>`.

        Raises:
            NoKafkaError: it failed; the text ends with what it said.
        """
        return _output([*self._command, *arguments], self._environment)

    def container(self, service: str) -> str:
        """The id of the service's container, running or not."""
        return self.run("ps", "--all", "--quiet", service).strip()

    def close(self) -> None:
        """Removes all of it, volumes included."""
        self.run("down", "--volumes", "--timeout", "0")


def compose_command() -> list[str]:
    """`docker compose`, else Debian's `docker-compose`, else nothing."""
    if runs(["docker", "compose", "version"], ANSWERS_WITHIN_S):
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else []


def docker(*arguments: str) -> str:
    """What `docker <arguments>` printed.

    Raises:
        NoKafkaError: it failed; the text ends with what it said.
    """
    return _output(["docker", *arguments])


def state(container: str, field: str) -> str:
    """A field of the container's state, such as Running or ExitCode, as docker prints it."""
    return docker("inspect", "--format", f"{{{{.State.{field}}}}}", container).strip()


def logs(container: str, lines: int = 1_000) -> str:
    """The last lines that it printed, whatever the stream."""
    command = ["docker", "logs", "--tail", str(lines), container]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout


def runs(command: list[str], timeout_s: float) -> bool:
    """Whether the command ends with 0 in time."""
    try:
        return subprocess.run(command, capture_output=True, timeout=timeout_s, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _output(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoKafkaError(f"{' '.join(command)} failed: {done.stderr[-2_000:]}")
    return done.stdout
