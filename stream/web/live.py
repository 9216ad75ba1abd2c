"""The live page: its files, the stream that moves it, and what it asks when somebody searches."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from importlib import resources

import msgspec
from aiohttp import web

from models.device import runtime
from stream.web.details import Found, find, item_detail, user_detail
from stream.web.errors import fault, json_response
from stream.web.feed import LiveFeed
from stream.web.history import Sample
from stream.web.view import NotReadyError, WorkerView

FILES = {"index.html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
ALLOWED = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
QUIET_S = 5.0  # without an event a comment is sent, so that a lost connection is noticed on both sides


class About(msgspec.Struct, frozen=True):
    """What does not change while a worker lives."""

    app_id: str
    device: str
    encoder: str
    dim: int
    k: int
    topics: list[str]


class Past(msgspec.Struct, frozen=True):
    """What the page begins with."""

    about: About
    samples: list[Sample]


def routes(view: WorkerView, feed: LiveFeed) -> list[web.RouteDef]:
    """The page at `/`, its files under `/page/`, its data under `/live/`."""
    page = LivePage(view, feed)
    return [
        web.get("/", page.index),
        web.get("/page/{name}", page.file),
        web.get("/live/past", page.past),
        web.get("/live/now", page.now),
        web.get("/live/events", page.events),
        web.get("/live/search", page.search),
        web.get("/live/users/{id:.+}", page.user),
        web.get("/live/items/{id:.+}", page.item),
    ]


class LivePage:
    """What the page asks for; a method for each path.

    Args:
        view: the worker.
        feed: what has been sampled of it.
    """

    def __init__(self, view: WorkerView, feed: LiveFeed) -> None:
        self._view, self._feed = view, feed

    async def index(self, _: web.Request) -> web.Response:
        """The page itself."""
        return _file("index.html")

    async def file(self, request: web.Request) -> web.Response:
        """One of its files."""
        return _file(request.match_info["name"])

    async def past(self, _: web.Request) -> web.Response:
        """What it begins with."""
        response = json_response(Past(self._about(), list(self._feed.history)))
        response.enable_compression()
        return response

    async def now(self, _: web.Request) -> web.Response:
        """The newest sample."""
        newest = self._feed.history.newest
        return fault(503, "nothing has been sampled so far") if newest is None else json_response(newest)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events, until one side leaves."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        with self._feed.watch() as coming, contextlib.suppress(ConnectionError):
            while True:
                await response.write(await _next_or_comment(coming))
        return response

    async def search(self, request: web.Request) -> web.Response:
        """Users and items whose ids hold a text."""
        text = request.query.get("q", "").strip()
        if not text:
            return json_response(Found([], []))
        return await _answer(lambda: self._view.ask(lambda engine: find(engine, text)), text)

    async def user(self, request: web.Request) -> web.Response:
        """All about a user."""
        user_id, projection = request.match_info["id"], self._feed.projection
        return await _answer(lambda: self._view.ask(lambda engine: user_detail(engine, user_id, projection)), user_id)

    async def item(self, request: web.Request) -> web.Response:
        """All about an item."""
        item_id, projection = request.match_info["id"], self._feed.projection
        return await _answer(lambda: self._view.ask(lambda engine: item_detail(engine, item_id, projection)), item_id)

    def _about(self) -> About:
        settings = self._view.settings
        device = runtime.device_name() if self._view.condition().is_compiled else ""  # before, asking would start it
        return About(settings.app_id, device, settings.encoder, settings.dim, 20, list(settings.input_topics))


async def _next_or_comment(coming: "asyncio.Queue[bytes]") -> bytes:
    try:
        async with asyncio.timeout(QUIET_S):
            return await coming.get()
    except TimeoutError:
        return b": quiet\n\n"


async def _answer(ask: Callable[[], Awaitable[object]], what: str) -> web.Response:
    try:
        found = await ask()
    except NotReadyError as error:
        return fault(503, str(error))
    return fault(404, f"{what!r} is not known") if found is None else json_response(found)


def _file(name: str) -> web.Response:
    """A file of the page; names with a slash in them do not reach this."""
    kind = next((kind for ending, kind in FILES.items() if name.endswith(ending)), None)
    path = resources.files("stream.web") / "page" / name
    if kind is None or not path.is_file():
        raise web.HTTPNotFound
    headers = {"Content-Security-Policy": ALLOWED, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=path.read_bytes(), content_type=kind, charset="utf-8", headers=headers)
