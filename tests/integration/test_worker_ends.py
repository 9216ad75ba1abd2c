"""Workers that end by themselves because going on would do harm: each says why, and what to do."""

import re

from kafka import KafkaAdminClient, KafkaProducer, TopicPartition

from stream.settings import Settings
from tests.integration.test_worker import (
    ENDS_WITHIN_S,
    a_worker,
    dead_letter_reasons,
    send,
    settings,
    some_events,
    uncommitted,
)
from tests.support.waiting import wait_until

__all__ = ["settings"]  # a fixture


def send_garbage(settings: Settings, count: int) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.broker)
    for _ in range(count):
        producer.send(settings.input_topics[0], key=b"u1", value=b"{", partition=0)
    producer.close()


def delete_records(settings: Settings, before: int) -> None:
    """What retention does: the first offsets of every click partition are gone."""
    admin = KafkaAdminClient(bootstrap_servers=settings.broker)
    partitions = [TopicPartition(settings.input_topics[0], p) for p in range(settings.partitions)]
    admin.delete_records(dict.fromkeys(partitions, before))
    admin.close()


def test_offsets_that_retention_has_deleted_are_refused_until_the_gap_is_accepted(settings, tmp_path):
    send(settings, some_events(100))
    with a_worker(settings, tmp_path) as worker:
        worker.wait_for(lambda s: s.records == 100, "the first are through")
        assert worker.stop() == 0
    send(settings, some_events(400, seed=1))
    delete_records(settings, before=50)

    with a_worker(settings, tmp_path) as worker:
        assert worker.process.wait(ENDS_WITHIN_S) == 2
        assert "--accept-gap" in worker.log()
    with a_worker(settings, tmp_path, {"INTEREST_ACCEPT_GAP": "true"}) as worker:
        worker.wait_for(lambda s: s.records > 100, "it goes on")
        wait_until(lambda: uncommitted(settings) == 0 or worker.stop() == 0, 20)
        assert "going on with a gap" in worker.log()


def test_a_worker_whose_topics_have_other_partitions_than_its_state_is_refused(settings, tmp_path):
    with a_worker(settings, tmp_path) as worker:
        worker.wait_for(lambda s: s.state == "running", "it runs")
        assert worker.stop() == 0
    admin = KafkaAdminClient(bootstrap_servers=settings.broker)
    admin.create_partitions({settings.input_topics[0]: 5})
    admin.close()

    with a_worker(settings, tmp_path, {"INTEREST_TOPIC_CHECK": "false"}) as worker:
        assert worker.process.wait(ENDS_WITHIN_S) == 2
        assert f"{settings.input_topics[0]} has 5" in worker.log()


def test_a_worker_that_stops_at_broken_records_saves_what_went_before_and_goes_on_when_told(settings, tmp_path):
    events = some_events(300)
    send(settings, events)
    with a_worker(settings, tmp_path) as worker:
        worker.wait_for(lambda s: s.records == len(events), "the good ones are through")
        send_garbage(settings, 1_000)
        assert worker.process.wait(ENDS_WITHIN_S) == 1
        assert "Traceback" not in worker.log()

    with a_worker(settings, tmp_path, {"INTEREST_DEAD_LETTER_LIMIT_RATIO": "1"}) as worker:
        worker.wait_for(lambda s: s.records == len(events) + 1_000, "all are through")
        assert worker.status.events == len(events)
        assert worker.stop() == 0
    assert len(dead_letter_reasons(settings)) == 1_000


def test_a_worker_that_applies_nothing_while_records_wait_exits_and_says_so(settings, tmp_path):
    impatient = {"INTEREST_WATCHDOG_S": "2", "INTEREST_CHECKPOINT_INTERVAL_S": "0.5"}
    with a_worker(settings, tmp_path, impatient) as worker:
        worker.wait_for(lambda s: s.state == "running", "it runs")
        admin = KafkaAdminClient(bootstrap_servers=settings.broker)
        admin.delete_topics([settings.updates])  # what can never be delivered holds the next checkpoint, and the flow
        admin.close()
        send(settings, some_events(50))
        worker.wait_for(lambda s: s.records > 0, "the first are through")
        send(settings, some_events(50))
        assert worker.process.wait(ENDS_WITHIN_S) == 1
        assert re.search(r"nothing was applied for [2-9] s while \d+ records wait", worker.log())
