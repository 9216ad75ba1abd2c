"""Bodies of answers that are no success: one shape for all. Knows nothing of the worker."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

CODES = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    422: "unprocessable",
    503: "not_ready",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Fault(msgspec.Struct, frozen=True):
    """What went wrong.

    Attributes:
        code: a short stable word for programs.
        message: one sentence for people.
    """

    code: str
    message: str


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of every answer with a status of 400 and up."""

    error: Fault


def json_response(value: Any, status: int = 200) -> web.Response:
    """`value`, a msgspec struct or plain data, as JSON."""
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def fault(status: int, message: str) -> web.Response:
    """An answer that says what went wrong."""
    return json_response(ErrorBody(Fault(CODES.get(status, "error"), message)), status)


@web.middleware
async def faults_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give aiohttp's own refusals, such as an unknown path, the body that all have."""
    try:
        return await handler(request)
    except web.HTTPException as refusal:
        if refusal.status < 400:
            raise
        response = fault(refusal.status, f"{request.method} {request.path}: {refusal.reason}")
        if "Allow" in refusal.headers:
            response.headers["Allow"] = refusal.headers["Allow"]
        return response
