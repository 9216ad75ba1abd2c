"""Kafka as compose/compose.yaml starts it, without the other services."""

import shutil

from tests.support.compose import ANSWERS_WITHIN_S, Compose, compose_command, docker, logs, runs, state
from tests.support.kafka import NoKafkaError, kafka_image, wait_until_ready
from tests.support.waiting import wait_until

PULLED_WITHIN_S = 300
KILLED_WITHIN_S = 10


def why_not_docker() -> str:
    """Empty where this way is open: an engine answers, it has or can pull the image, and compose is there."""
    if shutil.which("docker") is None:
        return "no docker on the path"
    if not runs(["docker", "version"], ANSWERS_WITHIN_S):
        return "no engine answers"
    image = kafka_image()
    if not runs(["docker", "image", "inspect", image], ANSWERS_WITHIN_S) and not runs(
        ["docker", "pull", "--quiet", image], PULLED_WITHIN_S
    ):
        return f"the engine cannot pull {image}"
    return "" if compose_command() else "no docker compose"


class DockerKafka:
    """The compose file's broker."""

    is_ours = True

    def __init__(self) -> None:
        self._compose = Compose()
        self.bootstrap = self._compose.bootstrap
        try:
            self._compose.run("up", "--detach", "--no-deps", "kafka")
            self._container = self._compose.container("kafka")
            self._wait_until_ready()
        except NoKafkaError:
            self.close()
            raise

    def is_running(self) -> bool:
        return state(self._container, "Running") == "true"

    def stop(self) -> None:
        docker("stop", self._container)

    def kill(self) -> None:
        if self.is_running():
            docker("kill", "--signal", "KILL", self._container)
            wait_until(lambda: not self.is_running(), KILLED_WITHIN_S)

    def restart(self) -> None:
        self.stop()
        docker("start", self._container)
        self._wait_until_ready()

    def close(self) -> None:
        self._compose.close()

    def _wait_until_ready(self) -> None:
        try:
            wait_until_ready(self.bootstrap, self.is_running)
        except NoKafkaError as error:
            raise NoKafkaError(f"{error}; its log ends with: {logs(self._container, 20)}") from None
