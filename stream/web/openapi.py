"""`/openapi.json`: the API described from its own types."""

from importlib.metadata import version
from typing import Any

import msgspec
from aiohttp import web

from stream.web.api import ENDPOINTS, Endpoint
from stream.web.errors import ErrorBody, json_response
from stream.web.health import Live, Ready
from stream.web.view import WorkerView

REFERENCE = "#/components/schemas/{name}"
FAULTS = {
    "401": "The token is missing or wrong.",
    "404": "No such user or item.",
    "422": "A parameter is unknown, of the wrong type or out of range.",
    "503": "Not ready: the worker compiles, restores or stands by; or too many wait for an answer.",
}


def routes(_: WorkerView) -> list[web.RouteDef]:
    """The one document."""
    described = document()

    async def openapi(_: web.Request) -> web.Response:
        return json_response(described)

    return [web.get("/openapi.json", openapi)]


def document() -> dict[str, Any]:
    """The API in OpenAPI 3.1."""
    bodies = [ErrorBody, Live, Ready, *(endpoint.answer for endpoint in ENDPOINTS)]
    _, schemas = msgspec.json.schema_components(bodies, ref_template=REFERENCE)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Interest Stream", "version": version("interest-stream")},
        "paths": {
            "/livez": _probe("Whether a restart would help: then 503.", Live),
            "/readyz": _probe("Whether events are being worked on: else 503.", Ready),
            "/metrics": {"get": {"summary": "For Prometheus.", "responses": {"200": _text("Metrics.")}}},
            **{endpoint.path: _endpoint(endpoint) for endpoint in ENDPOINTS},
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "`web_token`, if set."}},
        },
        "security": [{"token": []}, {}],
    }


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    an_id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    answers = {"200": _json(endpoint.summary, endpoint.answer)}
    faults = {status: _json(meaning, ErrorBody) for status, meaning in FAULTS.items()}
    return {
        "get": {
            "summary": endpoint.summary,
            "parameters": [an_id, *_parameters(endpoint.query)],
            "responses": answers | faults,
        }
    }


def _parameters(query: type[msgspec.Struct]) -> list[dict[str, Any]]:
    _, schemas = msgspec.json.schema_components([query])
    properties: dict[str, Any] = schemas[query.__name__]["properties"]
    return [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]


def _probe(summary: str, body: type[msgspec.Struct]) -> dict[str, Any]:
    return {"get": {"summary": summary, "security": [], "responses": {s: _json(summary, body) for s in ("200", "503")}}}


def _json(description: str, body: type[msgspec.Struct]) -> dict[str, Any]:
    schema = {"$ref": REFERENCE.format(name=body.__name__)}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _text(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}
