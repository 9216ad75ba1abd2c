"""Everything that the worker serves, put together."""

from aiohttp import web

from stream.web import api, health, metrics_page, openapi
from stream.web.view import WorkerView


def all_routes(view: WorkerView) -> list[web.RouteDef]:
    """The routes of every module here."""
    return [route for part in (health, metrics_page, api, openapi) for route in part.routes(view)]
