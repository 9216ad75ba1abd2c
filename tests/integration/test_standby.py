"""Two workers on one state: one works, the other stands by, takes over, and is never disturbed by the first again."""

import signal
import time

import pytest
from kafka import KafkaConsumer, TopicPartition

from stream.records.updates import decode_update
from stream.settings import Settings
from tests.integration.test_worker import a_worker, events_by_user, send, settings, some_events, updates_of
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProcess

__all__ = ["settings"]  # a fixture

TAKES_OVER_WITHIN_S = 10  # guaranteed
OFTEN = {"INTEREST_CHECKPOINT_INTERVAL_S": "0.5"}


def versions_in_log_order(settings: Settings) -> dict[str, list[int]]:
    """The versions of each user's updates, in the order of the log."""
    consumer = KafkaConsumer(bootstrap_servers=settings.broker, consumer_timeout_ms=2_000)
    partitions = [TopicPartition(settings.updates, p) for p in range(settings.partitions)]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    versions: dict[str, list[int]] = {}
    for record in consumer:
        update = decode_update(record.key, record.value, record.headers)
        versions.setdefault(update.user_id, []).append(update.version)
    consumer.close()
    return versions


def end_first(worker: WorkerProcess, how: str) -> None:
    if how == "stop":
        worker.process.send_signal(signal.SIGTERM)
    else:
        worker.process.send_signal(signal.SIGKILL if how == "kill" else signal.SIGSTOP)


@pytest.mark.timely
@pytest.mark.parametrize("how", ["stop", "kill", "freeze"])
def test_a_standby_takes_over_by_itself_and_nothing_is_lost_or_counted_twice(settings, tmp_path, how):
    events = some_events(900)
    send(settings, events[:500])
    with a_worker(settings, tmp_path, OFTEN) as first, a_worker(settings, tmp_path, OFTEN) as second:
        workers = [first, second]
        wait_until(lambda: {w.status.state for w in workers} == {"running", "standby"}, 120, "one runs, one stands by")
        workers.sort(key=lambda worker: worker.status.state)
        owner, standby = workers
        owner.wait_for(lambda s: s.records == 500, "the first 500 are through")
        standby_status = standby.status
        end_first(owner, how)
        ended = time.monotonic()
        send(settings, events[500:])

        standby.wait_for(lambda s: s.records == len(events), "all records are through", timeout_s=60)
        print(f"{how}: all through {time.monotonic() - ended:.1f} s after the end")
        assert time.monotonic() - ended < TAKES_OVER_WITHIN_S
        if how == "freeze":
            owner.process.send_signal(signal.SIGCONT)
            assert owner.process.wait(5) == 3
            assert "has taken over the checkpoints" in owner.log()
        assert standby_status.records == 0
        assert standby.status.events == len(events)
        assert standby.stop() == 0

    assert updates_of(settings) == events_by_user(events)
    assert all(versions == sorted(versions) for versions in versions_in_log_order(settings).values())


def test_a_standby_that_is_told_to_stop_leaves_at_once(settings, tmp_path):
    with a_worker(settings, tmp_path) as first:
        first.wait_for(lambda s: s.state == "running", "the first runs")
        with a_worker(settings, tmp_path) as second:
            second.wait_for(lambda s: s.state == "standby", "the second stands by")
            assert second.stop() == 0
        assert first.stop() == 0
