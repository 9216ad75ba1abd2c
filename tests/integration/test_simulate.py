"""`interest-stream simulate` against a real broker."""

import json
import os
import signal
import subprocess
import sys

from stream.broker.topic_reader import TopicReader
from stream.broker.topics import create_topics
from stream.settings import Settings
from tests.support.kafka import Kafka
from tests.support.waiting import wait_until

COMMAND = [sys.executable, "-m", "stream.cli", "simulate", "--json"]


def test_the_shop_sends_until_it_is_told_to_stop_and_another_run_sends_other_events(kafka: Kafka, topic_prefix: str):
    settings = Settings.load(broker=kafka.bootstrap, topic_prefix=topic_prefix)
    create_topics(settings)
    own = {"INTEREST_BROKER": kafka.bootstrap, "INTEREST_TOPIC_PREFIX": topic_prefix}
    first = subprocess.run([*COMMAND, "--events", "200", "--rate", "1000"], env=os.environ | own, stdout=-1, check=True)
    assert sum(json.loads(first.stdout)["sent"].values()) == 200
    second = subprocess.Popen(COMMAND, env=os.environ | own, stdout=subprocess.PIPE)
    with TopicReader(kafka.bootstrap, settings.input_topics[0], from_beginning=True) as reader:
        ids: list[str] = []
        wait_until(lambda: len(take_ids(ids, reader)) > 250, 30, "more than the first run sent")
    second.send_signal(signal.SIGTERM)
    said, _ = second.communicate(timeout=20)

    assert (second.returncode, len(set(ids))) == (0, len(ids))
    assert sum(json.loads(said)["sent"].values()) > 50


def take_ids(ids: list[str], reader: TopicReader) -> list[str]:
    ids += [json.loads(record.value or b"")["event_id"] for record in reader.poll()]
    return ids
