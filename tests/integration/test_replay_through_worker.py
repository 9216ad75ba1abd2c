"""Past events from files through Kafka and a worker to a subscriber: every line is accounted for."""

import csv
import gzip
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner

from stream.broker.topics import create_topics
from stream.cli import commands
from stream.client import InterestSubscriber
from stream.demo.simulator import SimulatedShop
from stream.event_logs import EventTypeMapping, Refused, Unmapped, read_log
from stream.records.events import Event, Search
from stream.settings import Settings
from tests.support.kafka import Kafka
from tests.support.worker import WorkerProcess

DATA = Path(__file__).parents[3] / "shared" / "data"
HEAD_LINES = 10_000  # of a real log; all 110,000 of the longer one take a worker of this size a minute
COLUMNS = ["ts_ms", "user_id", "session_id", "event_type", "item_id", "query", "value"]


@pytest.fixture
def settings(kafka: Kafka, topic_prefix: str) -> Settings:
    settings = Settings.load(broker=kafka.bootstrap, topic_prefix=topic_prefix)
    create_topics(settings)
    return settings


def events_of(path: Path) -> Iterator[Event]:
    for line in read_log(path, EventTypeMapping.parse(())):
        if not isinstance(line, Unmapped | Refused):
            yield line


def replay_through_a_worker(settings: Settings, log: Path, tmp_path: Path) -> None:
    """Replay, let a worker read it all, and compare what a subscriber sees with the file."""
    wanted = Counter(event.user_id for event in events_of(log))
    sent = CliRunner().invoke(
        commands, ["replay", "--broker", settings.broker, "--topic-prefix", settings.topic_prefix, "--json", str(log)]
    )
    assert sent.exit_code == 0, sent.output
    with WorkerProcess(settings.broker, settings.topic_prefix, tmp_path / "state") as worker:
        worker.wait_for(lambda s: s.records == wanted.total(), "all events are through")
        status = worker.status
        assert worker.stop() == 0

    with InterestSubscriber(settings.broker, from_beginning=True, topic=settings.updates) as subscriber:
        seen = {user: update.num_events for user, update in subscriber.snapshot().items()}
    assert (status.events, status.refused, status.duplicates, status.late) == (wanted.total(), 0, 0, 0)
    assert status.recompiles == 0
    assert seen == dict(wanted)


def write_shop_log(path: Path, count: int) -> None:
    """A simulated shop's events in the columns of the real logs."""
    shop = SimulatedShop()
    start_ms = int(time.time() * 1000) - count * 100
    with gzip.open(path, "wt", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for event in shop.events(range(start_ms, start_ms + count * 100, 100)):
            kind = type(event).__name__.lower()
            item, query = ("", event.query) if isinstance(event, Search) else (event.item_id, "")
            writer.writerow([event.time_ms, event.user_id, event.session_id or "", kind, item, query, ""])


def test_a_generated_log_is_accounted_for_to_the_last_line(settings: Settings, tmp_path: Path):
    log = tmp_path / "shop.csv.gz"
    write_shop_log(log, 4_000)

    replay_through_a_worker(settings, log, tmp_path)


def write_head(whole: Path, head: Path) -> None:
    with gzip.open(whole, "rt", newline="") as source, gzip.open(head, "wt", newline="") as target:
        target.writelines(islice(source, HEAD_LINES))


@pytest.mark.parametrize("name", ["trivago", "taobao"])
def test_real_logs_are_accounted_for_to_the_last_line(settings: Settings, tmp_path: Path, name: str):
    log = DATA / f"{name}.csv.gz"
    if not log.exists():
        pytest.skip(f"the real log {name}.csv.gz is not here; the generated one stands for it")
    write_head(log, tmp_path / "head.csv.gz")

    replay_through_a_worker(settings, tmp_path / "head.csv.gz", tmp_path)
