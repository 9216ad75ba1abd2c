"""Everything that the worker serves, put together."""

from aiohttp import web

from stream.web import health, metrics_page
from stream.web.view import WorkerView


def all_routes(view: WorkerView) -> list[web.RouteDef]:
    """The routes of every module here."""
    return [*health.routes(view), *metrics_page.routes(view)]
