"""Replaying files through a real broker, and what comes of bad lines."""

import csv
import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stream.broker.topic_reader import TopicReader
from stream.broker.topics import create_topics
from stream.cli import commands
from stream.demo.simulator import SimulatedShop
from stream.records.events import Click, Event, Purchase, Search, decode_event
from stream.settings import Settings
from tests.support.kafka import Kafka

DATA = Path(__file__).parents[3] / "shared" / "data"
COLUMNS = ["ts_ms", "user_id", "session_id", "event_type", "item_id", "query", "value"]
TYPE_OF = {Click: "interaction item image", Purchase: "clickout item", Search: "search for poi"}


@pytest.fixture
def settings(kafka: Kafka, topic_prefix: str) -> Settings:
    settings = Settings(broker=kafka.bootstrap, topic_prefix=topic_prefix)
    create_topics(settings)
    return settings


def call(settings: Settings, *arguments: str) -> Result:
    where = ("--broker", settings.broker, "--topic-prefix", settings.topic_prefix)
    return CliRunner().invoke(commands, ["replay", *arguments, *where, "--json"])


def stored(settings: Settings) -> list[Event]:
    """The events in the three topics; each must be one that a worker takes."""
    events = []
    for kind, topic in enumerate(settings.input_topics):
        with TopicReader(settings.broker, topic, from_beginning=True) as reader:
            events += [decode_event(kind, record.key, record.value) for record in reader.until_end()]
    return events


def as_row(event: Event) -> list[object]:
    item, query = ("", event.query) if isinstance(event, Search) else (event.item_id, "")
    return [event.time_ms, event.user_id, event.session_id, TYPE_OF[type(event)], item, query, ""]


def write_csv(path: Path, events: list[Event]) -> None:
    with gzip.open(path, "wt", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([COLUMNS, *map(as_row, events)])


def test_csv_with_its_default_types_arrives_whole(settings: Settings, tmp_path: Path):
    events = list(SimulatedShop().events(range(1_000, 3_000)))
    write_csv(tmp_path / "shop.csv.gz", events)
    summary = json.loads(call(settings, str(tmp_path / "shop.csv.gz")).stdout)
    assert sum(summary["sent"].values()) == summary["lines"] == 2_000
    sent = sorted((event.time_ms, event.user_id) for event in events)
    assert sorted((event.time_ms, event.user_id) for event in stored(settings)) == sent


def test_order_of_a_user_within_a_topic_is_kept(settings: Settings, tmp_path: Path):
    write_csv(tmp_path / "shop.csv.gz", list(SimulatedShop().events(range(5_000))))
    call(settings, str(tmp_path / "shop.csv.gz"))
    times: dict[tuple[str, type], list[int]] = {}
    for event in stored(settings):
        times.setdefault((event.user_id, type(event)), []).append(event.time_ms)
    assert all(of_user == sorted(of_user) for of_user in times.values())


def test_bad_lines_are_reported_with_their_place_and_never_sent(settings: Settings, tmp_path: Path):
    path = tmp_path / "log.jsonl"
    good = '{"kind": "view", "user_id": "u1", "item_id": "i1", "time_ms": 5}\n'
    path.write_text(good + '{"kind": "view"}\n' + "no json\n" + '{"kind": "hover"}\n' + good)
    result = call(settings, str(path), "--max-errors", "1")
    summary = json.loads(result.stdout)
    assert (summary["lines"], summary["refused"]) == (5, {"not_an_event": 1, "not_json": 1})
    assert summary["unmapped"] == {"hover": 1}
    assert f"{path}:2: not_an_event" in result.stderr
    assert f"{path}:3" not in result.stderr
    assert len(stored(settings)) == 2


def test_said_mapping_sends_a_type_elsewhere(settings: Settings, tmp_path: Path):
    (tmp_path / "log.csv").write_text(",".join(COLUMNS) + "\n5,u1,,added to cart,i1,,3\n")
    assert call(settings, str(tmp_path / "log.csv"), "--map", "added*=purchase").exit_code == 0
    assert stored(settings) == [Purchase("u1", "i1", 5, quantity=3.0)]


def test_log_of_which_nothing_can_be_sent_is_exit_code_2(settings: Settings, tmp_path: Path):
    (tmp_path / "log.csv").write_text(",".join(COLUMNS) + "\n5,u1,,filter,i1,,\n")
    result = call(settings, str(tmp_path / "log.csv"))
    assert result.exit_code == 2
    assert "'filter' 1" in result.stderr


def test_missing_topics_are_exit_code_2(kafka: Kafka, topic_prefix: str, tmp_path: Path):
    (tmp_path / "log.csv").write_text(",".join(COLUMNS) + "\n5,u1,,pv,i1,,\n")
    result = call(Settings(broker=kafka.bootstrap, topic_prefix=topic_prefix), str(tmp_path / "log.csv"))
    assert result.exit_code == 2
    assert "interest-stream topics create" in result.stderr


def test_times_moved_to_now_keep_their_distances(settings: Settings, tmp_path: Path):
    (tmp_path / "log.csv").write_text(",".join(COLUMNS) + "\n1000,u1,,pv,i1,,\n4000,u1,,pv,i2,,\n")
    assert call(settings, str(tmp_path / "log.csv"), "--now").exit_code == 0
    first, last = sorted(event.time_ms for event in stored(settings))
    assert last - first == 3_000
    assert first > 1_700_000_000_000


@pytest.mark.parametrize(
    ("name", "counts"),
    [("trivago", {"clicks": 11_889, "purchases": 12_460, "searches": 4_980}),
     ("taobao", {"clicks": 107_807, "purchases": 2_493, "searches": 0})],
)  # fmt: skip
def test_real_logs_go_to_the_topics_that_their_types_say(settings: Settings, name: str, counts: dict[str, int]):
    if not DATA.exists():
        pytest.skip("the real event logs lie beside the checkout, in ../shared/data; they are not there")
    summary = json.loads(call(settings, str(DATA / f"{name}.csv.gz")).stdout)
    assert summary["sent"] == {settings.topic_prefix + topic: count for topic, count in counts.items()}
    assert summary["refused"] == {}
