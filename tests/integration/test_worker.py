"""The worker end to end, on a real Kafka: what goes in comes out, nothing is lost and nothing stops it."""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from checkpoints.store import CheckpointStore
from stream.broker.topics import create_topics
from stream.client import InterestSubscriber, ItemVectors
from stream.demo.worker_process import COMMAND
from stream.records.events import Event, encode_event
from stream.settings import Settings
from tests.support.builders import a_click, a_purchase, a_search
from tests.support.kafka import Kafka
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProcess

FAUST_COMMAND = (sys.executable, "-m", "faust", "-A", "stream.app", "worker", "-l", "info")
OFTEN_S = 0.3
ENDS_WITHIN_S = 120  # starting and compiling included, beside whatever else the machine does
BROKEN = [
    (b"u1", b"{", "not_json"),
    (b"u1", b"[1, 2]", "not_an_event"),
    (b"u1", b'{"user_id": "u1", "time_ms": 1}', "not_an_event"),
    (b"u1", b'{"user_id": "u1", "item_id": 5, "time_ms": 1}', "not_an_event"),
    (b"u1", b'{"user_id": "u1", "item_id": "i1", "time_ms": -1}', "not_an_event"),
    (b"u1", b'{"user_id": "u1", "item_id": "i1", "time_ms": 1, "value": NaN}', "not_json"),
    (b"u1", b'{"user_id": "u1", "item_id": "i1", "time_ms": 1, "kind": "view"}', "not_an_event"),
    (b"u1", b'{"user_id": "u1", "item_id": "' + b"i" * 257 + b'", "time_ms": 1}', "not_an_event"),
    (b"u1", b'{"user_id": "u2", "item_id": "i1", "time_ms": 1}', "wrong_key"),
    (None, b'{"user_id": "u1", "item_id": "i1", "time_ms": 1}', "wrong_key"),
    (b"u1", b'{"user_id": "u1", "item_id": "i1", "time_ms": 99999999999999}', "in_future"),
    (b"u1", None, "no_value"),
    (b"u1", b"x" * 900_000, "too_large"),
]


@pytest.fixture
def settings(kafka: Kafka, topic_prefix: str) -> Settings:
    """Settings whose topics exist."""
    settings = Settings.load(broker=kafka.bootstrap, topic_prefix=topic_prefix)
    create_topics(settings)
    return settings


def a_worker(
    of: Settings, checkpoint_dir: Path, settings: dict[str, str] | None = None, command: Sequence[str] = COMMAND
) -> WorkerProcess:
    return WorkerProcess(of.broker, of.topic_prefix, checkpoint_dir, settings, command)


def some_events(count: int, seed: int = 0, num_users: int = 40) -> list[Event]:
    """Clicks, purchases and searches of a few users, times growing up to now."""
    random = np.random.default_rng(seed)
    start_ms = int(time.time() * 1000) - count
    users, items = random.integers(0, num_users, count).tolist(), random.integers(0, 30, count).tolist()
    makers: list[Callable[[str, str, int], Event]] = [a_click, a_click, a_click, a_purchase, a_search]
    make = [makers[i] for i in random.integers(0, len(makers), count)]
    columns = enumerate(zip(make, users, items, strict=True))
    return [f(f"u{user}", f"i{item}", start_ms + i) for i, (f, user, item) in columns]


def send(settings: Settings, events: list[Event]) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.broker)
    topics = dict(zip(("Click", "Purchase", "Search"), settings.input_topics, strict=True))
    for event in events:
        key, value = encode_event(event)
        producer.send(topics[type(event).__name__], key=key, value=value)
    producer.flush()
    producer.close()


def send_broken(settings: Settings) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.broker)
    for key, value, _ in BROKEN:
        producer.send(settings.input_topics[0], key=key, value=value)
    producer.flush()
    producer.close()


def dead_letter_reasons(settings: Settings) -> list[str]:
    consumer = KafkaConsumer(
        settings.dead_letters,
        bootstrap_servers=settings.broker,
        auto_offset_reset="earliest",
        consumer_timeout_ms=3_000,
    )
    reasons = [dict(record.headers)["error.reason"].decode() for record in consumer]
    consumer.close()
    return reasons


def uncommitted(settings: Settings) -> int:
    """Records between the committed offsets of the worker's group and the ends of the input topics."""
    consumer = KafkaConsumer(bootstrap_servers=settings.broker, group_id=f"{settings.topic_prefix}worker")
    partitions = [TopicPartition(topic, p) for topic in settings.input_topics for p in range(settings.partitions)]
    ends = consumer.end_offsets(partitions)
    lag = sum(ends[tp] - (consumer.committed(tp) or 0) for tp in partitions)
    consumer.close()
    return lag


def updates_of(settings: Settings) -> dict[str, int]:
    """Number of events in each user's newest update."""
    with InterestSubscriber(settings.broker, from_beginning=True, topic=settings.updates) as subscriber:
        return {user: update.num_events for user, update in subscriber.snapshot().items()}


def events_by_user(events: list[Event]) -> dict[str, int]:
    return dict(Counter(event.user_id for event in events))


def test_what_is_admitted_and_refused_adds_up_and_every_users_interest_comes_back(settings, tmp_path):
    events = some_events(1_500)
    send(settings, events[:700])
    send_broken(settings)
    send(settings, events[700:])

    with a_worker(settings, tmp_path) as worker:
        worker.wait_for(lambda s: s.records == len(events) + len(BROKEN) and s.learned > 500, "all records are through")
        assert (worker.status.events, worker.status.refused) == (len(events), len(BROKEN))
        assert worker.status.recompiles == 0
        assert worker.stop() == 0

    assert sorted(dead_letter_reasons(settings)) == sorted(reason for _, _, reason in BROKEN)
    assert updates_of(settings) == events_by_user(events)
    assert uncommitted(settings) == 0


def test_interests_and_item_vectors_are_of_unit_length_and_can_be_compared(settings, tmp_path):
    send(settings, some_events(600))
    with a_worker(settings, tmp_path) as worker:
        worker.wait_for(lambda s: s.learned > 300, "something is learned")
        worker.stop()

    with InterestSubscriber(settings.broker, from_beginning=True, topic=settings.updates) as subscriber:
        interests = np.array([update.interest for update in subscriber.snapshot().values()])
    with ItemVectors(settings.broker, topic=settings.item_vectors) as items:
        items.fill()
        nearest = items.nearest(interests[0], 3)

    assert np.linalg.norm(interests, axis=1) == pytest.approx(1, abs=1e-4)
    assert len(nearest) == 3
    assert all(-1.001 <= score <= 1.001 for _, score in nearest)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_worker_that_ends_goes_on_where_its_state_ends(settings, tmp_path, end):
    events = some_events(1_200)
    send(settings, events[:800])
    often = {"INTEREST_CHECKPOINT_INTERVAL_S": "0.3"}
    with a_worker(settings, tmp_path, settings=often) as worker:
        worker.wait_for(lambda s: s.records > 0, "the first records are through")
        getattr(worker, end)()
    send(settings, events[800:])

    with a_worker(settings, tmp_path) as worker:
        worker.wait_for(lambda s: s.records == len(events), "all records are through")
        assert worker.status.events == len(events)
        assert worker.stop() == 0

    assert updates_of(settings) == events_by_user(events)


def newest_at_rest(directory: Path) -> int:
    """The newest checkpoint, once it has been that for ten intervals."""
    store, seen, since = CheckpointStore(directory, kept=3), 0, time.monotonic()

    def is_at_rest() -> bool:
        nonlocal seen, since
        if (newest := store.latest() or 0) != seen:
            seen, since = newest, time.monotonic()
        return seen > 0 and time.monotonic() - since > 10 * OFTEN_S

    wait_until(is_at_rest, ENDS_WITHIN_S, "no more checkpoints are written")
    return seen


def test_an_idle_worker_leaves_the_disk_alone_until_something_happens(settings, tmp_path):
    events = some_events(100)
    with a_worker(settings, tmp_path, {"INTEREST_CHECKPOINT_INTERVAL_S": str(OFTEN_S)}) as worker:
        before = newest_at_rest(tmp_path)
        send(settings, events)
        worker.wait_for(lambda s: s.records == len(events), "all records are through")
        after = newest_at_rest(tmp_path)
        assert after > before
        assert uncommitted(settings) == 0
        assert worker.stop() == 0


def test_versions_of_a_user_never_go_back_over_a_kill(settings, tmp_path):
    events = some_events(600, num_users=5)
    for part in (events[:300], events[300:]):
        send(settings, part)
        with a_worker(settings, tmp_path) as worker:
            worker.wait_for(lambda s: s.updates > 0 and s.queued == 0, "updates are sent")
            worker.kill()

    with InterestSubscriber(settings.broker, from_beginning=True, topic=settings.updates) as subscriber:
        subscriber.snapshot()
        assert subscriber.users
        assert subscriber.num_stale == 0


def test_binary_updates_are_read_by_the_same_subscriber(settings, tmp_path):
    events = some_events(300)
    send(settings, events)
    with a_worker(settings, tmp_path, settings={"INTEREST_UPDATE_FORMAT": "binary"}) as worker:
        worker.wait_for(lambda s: s.records == len(events), "all records are through")
        worker.stop()

    assert updates_of(settings) == events_by_user(events)


def test_a_second_worker_that_may_not_stand_by_is_sent_away_in_one_sentence(settings, tmp_path):
    with a_worker(settings, tmp_path) as first:
        first.wait_for(lambda s: s.state == "running", "the first runs")
        with a_worker(settings, tmp_path, settings={"INTEREST_STANDBY": "false"}) as second:
            assert second.process.wait(ENDS_WITHIN_S) == 2
            assert "another worker uses the checkpoints" in second.log()
            assert "Traceback" not in second.log()


def test_a_state_made_with_other_settings_is_refused_by_name(settings, tmp_path):
    with a_worker(settings, tmp_path) as worker:
        worker.wait_for(lambda s: s.state == "running", "it runs")
        worker.stop()

    with a_worker(settings, tmp_path, settings={"INTEREST_DIM": "32"}) as worker:
        assert worker.process.wait(ENDS_WITHIN_S) == 2
        assert "dim was 16 and is 32" in worker.log()


def test_a_topic_of_broken_records_stops_the_worker_instead_of_draining_into_the_dead_letters(settings, tmp_path):
    producer = KafkaProducer(bootstrap_servers=settings.broker)
    for _ in range(500):
        producer.send(settings.input_topics[0], key=b"u1", value=b"{")
    producer.flush()
    producer.close()

    with a_worker(settings, tmp_path) as worker:
        assert worker.process.wait(ENDS_WITHIN_S) == 1
        assert "cannot be used, more than dead_letter_limit_ratio=0.5" in worker.log()
    assert len(dead_letter_reasons(settings)) < 500


@pytest.mark.parametrize("command", [COMMAND, FAUST_COMMAND], ids=["ours", "faust"])
def test_either_command_starts_the_worker_with_a_log_in_json_and_leaves_nothing_where_it_was_started(
    settings, tmp_path, monkeypatch, command
):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    events = some_events(200)
    users = events_by_user(events).keys()
    send(settings, events)

    with a_worker(settings, tmp_path / "state", {"INTEREST_LOG_FORMAT": "json"}, command) as worker:
        with InterestSubscriber(settings.broker, from_beginning=True, topic=settings.updates) as subscriber:
            wait_until(
                lambda: users <= {u.user_id for u in subscriber.poll()} | subscriber.users.keys(),
                90,
                "everyone has an update",
            )
        assert worker.stop() == 0
        lines = [json.loads(line) for line in worker.log().splitlines()]

    assert updates_of(settings) == events_by_user(events)
    assert {line["app"] for line in lines} == {f"{settings.topic_prefix}worker"}
    assert any("next_offsets" in line for line in lines)
    assert list(here.iterdir()) == []
