"""What `docker compose -f compose/compose.yaml up` gives: run by .ci/run, which has an engine and the image."""

import subprocess
from collections.abc import Iterator

import pytest
import redis
import yaml

from stream.client import EventProducer, InterestSubscriber
from tests.support.compose import Compose, compose_command, docker, state
from tests.support.kafka import COMPOSE_FILE
from tests.support.waiting import wait_until

WORKER_ANSWERS_WITHIN_S = 180  # most of it is compiling, 35 s on two cores that are otherwise idle
GRACE_S = 20
SINK_ANSWERS_WITHIN_S = 60
USERS = [f"u{n}" for n in range(10)]


@pytest.fixture(scope="module")
def compose() -> Iterator[Compose]:
    project = Compose()
    project.run("up", "--detach")
    yield project
    project.close()


def test_topics_are_created_before_the_worker_starts(compose: Compose) -> None:
    assert state(compose.container("topics"), "ExitCode") == "0"
    checked = compose.run("run", "--rm", "topics", "interest-stream", "topics", "check")
    assert checked.count("ok") == 7


def test_events_go_in_and_every_user_gets_interests(compose: Compose) -> None:
    send_clicks(compose)
    with InterestSubscriber(compose.bootstrap, from_beginning=True) as subscriber:
        wait_until(lambda: subscriber.poll() is None or set(USERS) <= set(subscriber.users), WORKER_ANSWERS_WITHIN_S)


def test_killed_worker_starts_again_and_goes_on_with_newer_versions(compose: Compose) -> None:
    worker = compose.container("worker")
    with InterestSubscriber(compose.bootstrap) as subscriber:
        before = subscriber.snapshot()
        kill_minus_nine_inside(worker)
        wait_until(lambda: int(restarts(worker)) > 0, GRACE_S)

        send_clicks(compose)
        wait_until(
            lambda: subscriber.poll() is None or all(subscriber.users[u].version > before[u].version for u in USERS),
            WORKER_ANSWERS_WITHIN_S,
        )


def test_the_simulator_sends_events_until_it_is_stopped(compose: Compose) -> None:
    compose.run("--profile", "simulator", "up", "--detach", "simulator")
    with InterestSubscriber(compose.bootstrap) as subscriber:
        wait_until(lambda: subscriber.poll() is None or "user-0001" in subscriber.users, WORKER_ANSWERS_WITHIN_S)
    simulator = compose.container("simulator")
    compose.run("--profile", "simulator", "stop", "simulator")
    assert state(simulator, "ExitCode") == "0"


def test_the_sink_fills_a_redis_and_fills_it_anew_when_that_lost_everything(compose: Compose) -> None:
    compose.run("--profile", "redis", "up", "--detach", "redis-sink")
    with redis.Redis.from_url(compose.redis_url) as store:

        def has_all() -> bool:
            return store.exists(*(f"interest:user:{user}" for user in USERS)) == len(USERS)

        wait_until(has_all, SINK_ANSWERS_WITHIN_S)
        store.flushall()
        wait_until(has_all, SINK_ANSWERS_WITHIN_S)
    sink = compose.container("redis-sink")
    compose.run("--profile", "redis", "stop", "redis-sink")
    assert state(sink, "ExitCode") == "0"


def test_worker_is_not_root_and_ends_in_time_with_a_checkpoint(compose: Compose) -> None:
    worker = compose.container("worker")
    assert docker("exec", worker, "id", "-u").strip() != "0"

    compose.run("stop", "worker")  # SIGKILL after the grace period would end it with 137

    assert state(worker, "ExitCode") == "0"
    assert any(
        name.isdigit() for name in compose.run("run", "--rm", "--no-deps", "worker", "ls", "checkpoints").split()
    )


def test_the_variant_for_a_gpu_changes_the_image_and_asks_for_a_device() -> None:
    command = [*compose_command(), "-f", str(COMPOSE_FILE), "-f", str(COMPOSE_FILE.with_name("cuda.yaml")), "config"]
    worker = yaml.safe_load(subprocess.check_output(command, text=True))["services"]["worker"]
    assert (worker["image"], worker["build"]["args"]) == ("interest-stream:cuda", {"EXTRAS": "cuda"})
    assert worker["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]


def send_clicks(compose: Compose) -> None:
    with EventProducer(compose.bootstrap) as producer:
        for n in range(200):
            producer.click(USERS[n % len(USERS)], f"i{n % 30}")


def kill_minus_nine_inside(container: str) -> None:
    """To docker a `docker kill` is a wish, after which it does not restart; a process that dies inside is a crash."""
    docker("exec", container, "python3", "-c", "import os; os.kill(-1, 9)")


def restarts(container: str) -> str:
    return docker("inspect", "--format", "{{.RestartCount}}", container)
