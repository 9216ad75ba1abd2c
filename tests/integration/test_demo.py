"""`interest-stream demo` and `watch` as a newcomer calls them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kafka import KafkaProducer

from stream.broker.topics import create_topics
from stream.records.updates import InterestUpdate, ItemVector
from stream.settings import Settings
from tests.support.kafka import Kafka
from tests.support.records import encode_item_vector, encode_update
from tests.support.worker import SMALL

SUMMARY = {
    "events", "updates", "events_per_s", "latency_ms", "recall_at_20", "mrr_at_20", "counting_recall_at_20",
    "popularity_recall_at_20", "vector_recall_at_20", "recompiles", "dead_letters",
}  # fmt: skip
ENDS_WITHIN_S = 150


# Whoever started the tests in the background has SIGINT ignored, and children inherit that: heed it all the same.
START = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("stream.cli", run_name="__main__")
"""


def a_demo(*arguments: str, **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START, "demo", *arguments],
        env=os.environ | SMALL | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_demo_ends_by_itself_with_everything_through():
    process = a_demo("--events", "3000", "--rate", "500")  # with time to score: overloaded, few predictions are
    out, err = process.communicate(timeout=ENDS_WITHIN_S)
    assert process.returncode == 0, err
    summary = json.loads(out.splitlines()[-1])
    assert set(summary) == SUMMARY
    assert (summary["events"], summary["recompiles"], summary["dead_letters"]) == (3_000, 0, 0)
    assert 0 < summary["latency_ms"]["p50"] <= summary["latency_ms"]["p99"]
    assert summary["recall_at_20"] > summary["popularity_recall_at_20"]
    assert err == ""


def test_watch_follows_a_demo_that_runs():
    with a_demo("--events", "1000000", "--rate", "300") as process:
        assert process.stdout is not None
        command = next(line for line in process.stdout if "interest-stream watch" in line).split("interest-stream ")[1]
        watch = [sys.executable, "-m", "stream.cli", *command.split(), "--count", "3", "--json"]
        followed = subprocess.run(watch, check=True, capture_output=True, timeout=ENDS_WITHIN_S)
        process.terminate()
        process.communicate(timeout=ENDS_WITHIN_S)
    updates = [json.loads(line) for line in followed.stdout.splitlines()]
    assert len(updates) == 3
    assert all(update["user_id"].startswith("user-") for update in updates)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
@pytest.mark.parametrize("when", ["worker: compiling", "of 1,000,000 events"])
def test_interrupted_demo_ends_cleanly(number: signal.Signals, when: str):
    process = a_demo("--events", "1000000")
    assert process.stdout is not None
    seen = next((line for line in process.stdout if when in line), "")
    process.send_signal(number)
    out, err = process.communicate(timeout=ENDS_WITHIN_S)
    assert seen, err
    assert process.returncode == 0, err
    assert set(json.loads(out.splitlines()[-1])) == SUMMARY


def test_worker_that_dies_is_told_with_its_last_lines():
    process = a_demo("--events", "1000", INTEREST_COMPILATION_CACHE="/proc/no-place")
    _, err = process.communicate(timeout=ENDS_WITHIN_S)
    assert process.returncode == 1
    assert err.startswith("Error: the worker ended by itself with exit code")
    assert "/proc/no-place" in err


def test_watch_shows_updates_beside_their_nearest_items(kafka: Kafka, topic_prefix: str):
    settings = Settings(broker=kafka.bootstrap, topic_prefix=topic_prefix)
    create_topics(settings)
    publish(settings)
    where = ["--broker", kafka.bootstrap, "--topic-prefix", topic_prefix]
    options = ["--user", "u1", "--from-beginning", "--count", "1", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "stream.cli", "watch", *options, *where],
        check=True,
        capture_output=True,
        timeout=30,
        cwd=Path(__file__).parents[2],
    )
    view = json.loads(done.stdout)
    assert (view["user_id"], view["version"], view["nearest"][0]) == ("u1", 2, ["lamp", 1.0])


def publish(settings: Settings) -> None:
    """Two updates of `u1`, one of another user, two item vectors."""
    producer = KafkaProducer(bootstrap_servers=settings.broker)
    for user, version in (("u1", 1), ("u1", 2), ("u2", 1)):
        update = encode_update(InterestUpdate(1, user, version, 1, 1, [0.0, 1.0], [0.0, 1.0], 0.0, 5))
        producer.send(settings.updates, key=update.key, value=update.value)
    for name, vector in (("lamp", [0.0, 1.0]), ("shoe", [1.0, 0.0])):
        item = encode_item_vector(ItemVector(1, name, 1, vector))
        producer.send(settings.item_vectors, key=item.key, value=item.value)
    producer.close()
