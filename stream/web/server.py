"""The server itself: where it listens, whom it answers. Knows nothing of what it serves.

Routes come from modules with a function `routes(view)`, one a topic; `stream/web/routes.py` lists them.
"""

import asyncio
import contextlib
import errno
import hmac
import ipaddress
import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Self

from aiohttp import web

from stream.errors import ConfigError
from stream.settings import Settings
from stream.web.errors import Handler, fault, faults_as_json

TRIES_AGAIN_AFTER_S = 2.0  # a standby on the same machine gets the port when the owner ends
OPEN_ANSWERS_END_WITHIN_S = 1.0  # of the 10 s that a stop may take

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WebPolicy:
    """The server's slice of the settings.

    Attributes:
        host: address to listen on.
        port: port to listen on.
        token: expected as `Authorization: Bearer …`; empty asks for none.
        open_paths: answered without the token: probes, and a page's own files, which hold no data.
            One that ends in `/` stands for all below it.
    """

    host: str
    port: int
    token: str = ""
    open_paths: Collection[str] = ("/livez", "/readyz", "/", "/page/")

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The slice."""
        return cls(settings.web_host, settings.web_port, settings.web_token.get_secret_value())

    @property
    def is_local(self) -> bool:
        """Whether only programs on this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def is_open(self, path: str) -> bool:
        """Whether `path` is answered without the token."""
        return any(path == known or (known != "/" and known.endswith("/") and path.startswith(known))
                   for known in self.open_paths)  # fmt: skip


class WebServer:
    """Serves from `start` to `stop`, on the loop that calls them.

    Args:
        policy: where and to whom.
        routes: what.

    Attributes:
        is_listening: false while the port is taken.
    """

    def __init__(self, policy: WebPolicy, routes: Iterable[web.AbstractRouteDef]) -> None:
        self._policy = policy
        self._runner = web.AppRunner(
            application(policy, routes),
            access_log=None,  # paths hold the ids of users
            shutdown_timeout=OPEN_ANSWERS_END_WITHIN_S,
        )
        self._waiting: asyncio.Task[None] | None = None
        self.is_listening = False

    async def start(self) -> None:
        """Listen. A port that is taken is waited for, for events matter more than being looked at.

        Raises:
            ConfigError: the address is none of this machine's.
        """
        policy = self._policy
        if not (policy.is_local or policy.token):
            logger.warning("web_host=%s lets other machines read interests without a token; set web_token", policy.host)
        await self._runner.setup()
        if not await self._listen():
            logger.warning("port %d is taken: no HTTP until it is free; web_port sets another, 0 none", policy.port)
            self._waiting = asyncio.create_task(self._wait_for_port(), name="wait for the web port")

    async def stop(self) -> None:
        """Close the port and the answers that are still open."""
        if self._waiting is not None:
            self._waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._waiting
        await self._runner.cleanup()

    async def _listen(self) -> bool:
        site = web.TCPSite(self._runner, self._policy.host, self._policy.port)
        try:
            await site.start()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise ConfigError(
                f"web_host={self._policy.host}, web_port={self._policy.port} cannot be listened on: {error}"
            ) from None
        self.is_listening = True
        logger.info("HTTP at http://%s:%d", self._policy.host, self._policy.port)
        return True

    async def _wait_for_port(self) -> None:
        while not self.is_listening:
            await asyncio.sleep(TRIES_AGAIN_AFTER_S)
            await self._listen()


def application(policy: WebPolicy, routes: Iterable[web.AbstractRouteDef]) -> web.Application:
    """What the server runs, without a port: also what tests talk to."""

    @web.middleware
    async def only_for_the_invited(request: web.Request, handler: Handler) -> web.StreamResponse:
        if policy.token and not policy.is_open(request.path) and not _shows(request, policy.token):
            refusal = fault(401, "expected the header 'Authorization: Bearer <web_token>'")
            refusal.headers["WWW-Authenticate"] = "Bearer"
            return refusal
        if policy.is_local and not _is_local_name(request.host):
            return fault(403, f"this server is for its own machine, not for the name {request.host!r}; set web_host")
        return await handler(request)

    app = web.Application(middlewares=[faults_as_json, only_for_the_invited])
    app.add_routes(routes)
    return app


def _shows(request: web.Request, token: str) -> bool:
    shown = request.headers.get("Authorization", "")
    return hmac.compare_digest(shown.encode(), f"Bearer {token}".encode())


def _is_local_name(host: str) -> bool:
    """Whether a request's Host is this machine: a web page may have any name point here, to read what is local."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    try:
        return name == "localhost" or ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
