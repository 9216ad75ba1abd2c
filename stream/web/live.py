"""The live page: its files, the stream that moves it, and what it asks when somebody searches."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib import resources

import msgspec
from aiohttp import web

from models import runtime
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
    settings = view.settings

    async def index(_: web.Request) -> web.Response:
        return _file("index.html")

    async def file(request: web.Request) -> web.Response:
        return _file(request.match_info["name"])

    async def past(_: web.Request) -> web.Response:
        device = runtime.device_name() if view.engine is not None else ""
        topics = list(settings.input_topics)
        about = About(settings.app_id, device, settings.encoder, settings.dim, 20, topics)
        response = json_response(Past(about, list(feed.history)))
        response.enable_compression()
        return response

    async def now(_: web.Request) -> web.Response:
        newest = feed.history.newest
        return fault(503, "nothing has been sampled so far") if newest is None else json_response(newest)

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        with feed.watch() as coming:
            while True:
                try:
                    async with asyncio.timeout(QUIET_S):
                        event = await coming.get()
                except TimeoutError:
                    event = b": quiet\n\n"
                try:
                    await response.write(event)
                except ConnectionError:
                    return response

    async def search(request: web.Request) -> web.Response:
        text = request.query.get("q", "").strip()
        if not text:
            return json_response(Found([], []))
        return await _answer(lambda: view.ask(lambda engine: find(engine, text)), text)

    async def user(request: web.Request) -> web.Response:
        user_id = request.match_info["id"]
        return await _answer(lambda: view.ask(lambda engine: user_detail(engine, user_id, feed.projection)), user_id)

    async def item(request: web.Request) -> web.Response:
        item_id = request.match_info["id"]
        return await _answer(lambda: view.ask(lambda engine: item_detail(engine, item_id, feed.projection)), item_id)

    return [
        web.get("/", index),
        web.get("/page/{name}", file),
        web.get("/live/past", past),
        web.get("/live/now", now),
        web.get("/live/events", events),
        web.get("/live/search", search),
        web.get("/live/users/{id:.+}", user),
        web.get("/live/items/{id:.+}", item),
    ]


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
