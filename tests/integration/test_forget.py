"""A user is forgotten: state, checkpoints and topic, and stays so whatever is replayed."""

import subprocess
import sys
import time
from pathlib import Path

from checkpoints.segments import CorruptSegmentError
from checkpoints.store import CheckpointStore
from stream.client import InterestSubscriber
from stream.records.events import Event
from stream.settings import Settings
from tests.integration.test_worker import a_worker, send, settings, some_events
from tests.support.builders import a_click
from tests.support.waiting import wait_until

__all__ = ["settings"]  # a fixture


def forget(settings: Settings, user: str) -> None:
    command = [sys.executable, "-m", "stream.cli", "forget", user, "--broker", settings.broker]
    subprocess.run([*command, "--topic-prefix", settings.topic_prefix], check=True, capture_output=True, timeout=60)


def users_known(settings: Settings) -> set[str]:
    with InterestSubscriber(settings.broker, from_beginning=True, topic=settings.updates) as subscriber:
        return set(subscriber.snapshot())


def fewest_erasures(directory: Path) -> int:
    """Of all checkpoints there are; one that is just being deleted counts as one of before."""
    store = CheckpointStore(directory, kept=1)
    try:
        return min(store.manifest(number).num_erasures for number in store.numbers())
    except CorruptSegmentError:
        return 0


def of(user: str, events: list[Event]) -> list[Event]:
    return [event for event in events if event.user_id == user]


def test_a_forgotten_user_stays_forgotten_over_a_kill_and_a_replay_and_may_come_back_as_a_new_one(settings, tmp_path):
    events = some_events(400)
    send(settings, events)
    often = {"INTEREST_CHECKPOINT_INTERVAL_S": "0.5"}
    with a_worker(settings, tmp_path, often) as worker:
        worker.wait_for(lambda s: s.records == len(events), "all records are through")
        assert "u1" in users_known(settings)

        forget(settings, "u1")
        wait_until(lambda: "u1" not in users_known(settings), 20, "the tombstone is out")
        wait_until(lambda: fewest_erasures(tmp_path) == 1, 30, "no checkpoint of before is left")
        worker.kill()
    replayed = of("u1", events)
    send(settings, replayed)

    with a_worker(settings, tmp_path) as worker:
        worker.wait_for(lambda s: s.records == len(events) + len(replayed), "the replayed are through")
        assert worker.status.erased == len(replayed)
        assert users_known(settings) == {event.user_id for event in events} - {"u1"}

        send(settings, [a_click("u1", time_ms=int(time.time() * 1000))])  # after the erasure, however long that took
        wait_until(lambda: "u1" in users_known(settings), 20, "u1 has come back")
        with InterestSubscriber(settings.broker, from_beginning=True, topic=settings.updates) as subscriber:
            assert subscriber.snapshot()["u1"].num_events == 1
        assert worker.stop() == 0
