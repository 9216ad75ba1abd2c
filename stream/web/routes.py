"""Everything that the worker serves, put together."""

from aiohttp import web

from stream.web import api, health, live, metrics_page, openapi
from stream.web.feed import LiveFeed
from stream.web.view import WorkerView


def all_routes(view: WorkerView, feed: LiveFeed) -> list[web.RouteDef]:
    """The routes of every module here."""
    routes = [route for part in (health, metrics_page, api, openapi) for route in part.routes(view)]
    return [*routes, *live.routes(view, feed)]
