"""A view of a real engine in a small size, and a client of the server that shows it."""

from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from stream.flow.engine import Engine
from stream.metrics import Meters
from stream.status import WorkerStatus
from stream.web.feed import LiveFeed
from stream.web.routes import all_routes
from stream.web.server import WebPolicy, application
from stream.web.view import Condition, WorkerView
from tests.support.builders import NOW_MS, a_chunk, a_click
from tests.support.small_world import SETTINGS

Client = TestClient[web.Request, web.Application]
ITEMS = ["i0", "i1", "i2", "a/b c", "é"]


@pytest.fixture(scope="module")
def engine() -> Engine:
    """An engine that knows the clicks of a few users, its item vectors published; compiles no more than is asked."""
    engine = Engine(SETTINGS)
    clicks = [a_click(f"u{n % 3}", ITEMS[n % len(ITEMS)], NOW_MS + n) for n in range(30)]
    engine.process([a_chunk([*clicks, a_click("u/1 ü", "i0")])])
    engine.begin(1)
    assert any([*engine.moved_item_vectors()])
    return engine


@pytest.fixture
def view() -> Iterator[WorkerView]:
    """A view of a worker that is not ready yet."""
    view = WorkerView(
        SETTINGS,
        status=lambda: WorkerStatus("running"),
        condition=Condition,
        lags=lambda: {},
        meters=Meters(),
    )
    yield view
    view.close()


@pytest.fixture
async def client(view: WorkerView, engine: Engine) -> AsyncIterator[Client]:
    """Of a worker that is ready."""
    view.open(engine)
    async with a_client(view) as client:
        yield client


def a_client(view: WorkerView) -> Client:
    return TestClient(TestServer(application(WebPolicy("127.0.0.1", 6066), all_routes(view, LiveFeed(view)))))
