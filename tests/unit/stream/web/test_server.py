"""Whom the server answers, and what a refusal looks like."""

import socket

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, unused_port

from stream.errors import ConfigError
from stream.web.server import WebPolicy, WebServer, application
from tests.support.waiting import wait_until_async


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


ROUTES = [web.get("/hello", hello), web.get("/livez", hello), web.get("/static/page.css", hello)]


def a_policy(**changes) -> WebPolicy:
    return WebPolicy(**{"host": "127.0.0.1", "port": 6066, **changes})


def a_client(policy: WebPolicy) -> TestClient[web.Request, web.Application]:
    return TestClient(TestServer(application(policy, ROUTES)))


@pytest.mark.parametrize(
    ("header", "status"),
    [("", 401), ("Bearer wrong", 401), ("Basic secret", 401), ("Bearer secret", 200), ("Bearer sécret", 401)],
)
async def test_with_a_token_only_who_shows_it_is_answered(header: str, status: int):
    async with a_client(a_policy(token="secret")) as client:
        response = await client.get("/hello", headers={"Authorization": header})
        assert response.status == status
        if status == 401:
            assert (await response.json())["error"]["code"] == "unauthorized"


async def test_probes_and_open_paths_need_no_token():
    async with a_client(a_policy(token="secret", open_paths=("/livez", "/static/"))) as client:
        assert [(await client.get(path)).status for path in ("/livez", "/static/page.css", "/hello")] == [200, 200, 401]


@pytest.mark.parametrize(
    ("host", "name", "status"),
    [
        ("127.0.0.1", "evil.example:6066", 403),
        ("127.0.0.1", "localhost:6066", 200),
        ("127.0.0.1", "[::1]:6066", 200),
        ("0.0.0.0", "worker:6066", 200),
    ],
)
async def test_a_local_server_answers_only_to_local_names(host: str, name: str, status: int):
    async with a_client(a_policy(host=host)) as client:
        assert (await client.get("/hello", headers={"Host": name})).status == status


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nothing", 404, "not_found"), ("POST", "/hello", 405, "method_not_allowed")],
)
async def test_refusals_are_json_that_says_what_is_wrong(method: str, path: str, status: int, code: str):
    async with a_client(a_policy()) as client:
        response = await client.request(method, path)
        assert response.status == status
        fault = (await response.json())["error"]
        assert fault["code"] == code
        assert path in fault["message"]


@pytest.mark.parametrize(("changes", "warned"), [({}, True), ({"token": "t"}, False)])
async def test_a_server_open_to_other_machines_without_a_token_warns(caplog, changes, warned: bool):
    server = WebServer(a_policy(host="0.0.0.0", port=unused_port(), **changes), ROUTES)
    await server.start()
    await server.stop()
    assert ("without a token" in caplog.text) == warned


async def test_a_port_that_is_taken_is_served_as_soon_as_it_is_free(monkeypatch):
    monkeypatch.setattr("stream.web.server.TRIES_AGAIN_AFTER_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = WebServer(a_policy(port=taken.getsockname()[1]), ROUTES)
        await server.start()
        assert not server.is_listening
    await wait_until_async(_as_coroutine(lambda: server.is_listening), 5)
    await server.stop()


async def test_an_address_of_another_machine_is_an_error_of_the_operator():
    server = WebServer(a_policy(host="192.0.2.1"), ROUTES)
    with pytest.raises(ConfigError, match="web_host=192"):
        await server.start()
    await server.stop()


def _as_coroutine(predicate):
    async def look():
        return predicate()

    return look
