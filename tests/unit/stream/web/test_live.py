import msgspec
import pytest

from models.quality.drift import DriftState
from stream.flow.engine import Engine
from stream.web.feed import LiveFeed
from stream.web.history import Alarm
from stream.web.view import WorkerView
from tests.support.small_world import SETTINGS
from tests.support.waiting import wait_until
from tests.unit.stream.web.conftest import Client


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "text/html"), ("/page/main.js", "text/javascript"), ("/page/style.css", "text/css")],
)
async def test_the_page_comes_with_its_files_and_asks_nobody_else(client: Client, path: str, kind: str):
    response = await client.get(path)

    assert (response.status, response.content_type) == (200, kind)
    assert response.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert "https://" not in await response.text()


@pytest.mark.parametrize("path", ["/page/none.js", "/page/..%2Flive.py", "/page/%2Fetc%2Fhostname"])
async def test_no_other_file_is_served(client: Client, path: str):
    assert (await client.get(path)).status == 404


async def test_a_user_is_told_with_its_window_newest_first(client: Client):
    user = await (await client.get("/live/users/u0")).json()

    times_ms = [event["time_ms"] for event in user["window"]]
    assert user["num_events"] == 10
    assert times_ms == sorted(times_ms, reverse=True)
    assert len(user["now"]) > 0


@pytest.mark.parametrize("path", ["/live/users/nobody", "/live/items/nothing"])
async def test_who_is_not_known_is_not_found(client: Client, path: str):
    assert (await client.get(path)).status == 404


async def test_a_search_finds_users_and_items(client: Client):
    found = await (await client.get("/live/search", params={"q": "U"})).json()

    assert set(found["users"]) == {"u0", "u1", "u2", "u/1 ü"}
    assert found["items"] == []


async def test_an_item_is_not_similar_to_itself(client: Client):
    item = await (await client.get("/live/items/i0")).json()

    assert "i0" not in [name for name, _ in item["similar"]]


async def test_an_alarm_is_carried_by_one_sample(view: WorkerView):
    feed = LiveFeed(view)
    feed.mark(Alarm(5, "recall fell"))

    feed.sample()
    feed.sample()

    assert [[alarm.what for alarm in sample.alarms] for sample in feed.history] == [["recall fell"], []]


async def test_a_drift_alarm_is_marked_once_and_one_of_before_the_restart_is_not(view: WorkerView):
    engine = Engine(SETTINGS)
    view.open(engine)
    feed = LiveFeed(view)

    for num_alarms in (2, 3, 3):
        engine.learner.drift.now = DriftState(num_alarms=num_alarms)
        feed.sample()

    assert [len(sample.alarms) for sample in feed.history] == [0, 1, 0]


async def test_one_who_does_not_listen_misses_events_and_holds_nobody_up(view: WorkerView):
    feed = LiveFeed(view)

    with feed.watch() as events:
        for at_ms in range(100):
            feed.mark(Alarm(at_ms, "a"))
            feed.sample()
        received = [events.get_nowait() for _ in range(events.qsize())]

    newest = msgspec.json.decode(received[-1].split(b"data: ")[1])
    assert 1 <= len(received) < 100
    assert newest["alarms"][0]["at_ms"] == 99


def test_a_loss_is_told_once_it_is_computed_though_no_batch_follows(engine: Engine):
    teacher = engine.teacher
    assert (teacher.last_loss, teacher.last_gate_loss) == (None, None)
    teacher.learn_batch()  # of new items among none that was seen before, which is no loss
    teacher.learn_batch()
    wait_until(lambda: teacher.last_loss and teacher.last_gate_loss, 10)
