"""Access tokens by client credentials (RFC 6749, section 4.4), renewed before they run out. Knows nothing of topics."""

import asyncio
import ssl
import threading
from dataclasses import dataclass, field
from typing import Any

import aiokafka.abc
import httpx2
import kafka.net.sasl.oauth
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client

from stream.errors import TokenError

RENEWED_BEFORE_S = 30  # ahead of its end: longer than a login takes, shorter than any token lives
ANSWERS_WITHIN_S = 10.0


@dataclass(frozen=True)
class TokenRequest:
    """Whom to ask for a token, and as whom.

    Attributes:
        url: the token endpoint.
        client_id: who we are there.
        client_secret: what proves it.
        scope: what is asked for; empty leaves it to the endpoint.
        cafile: authorities (PEM) of the endpoint; empty: the system's.
    """

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str = ""
    cafile: str = ""


class TokenSource:
    """Asks for a token when there is none that lasts. May be called from any thread, and blocks while it asks."""

    def __init__(self, request: TokenRequest) -> None:
        self._request = request
        self._token: Any = None
        self._turn = threading.Lock()

    def token(self) -> str:
        """A token that lasts for a login at least.

        Raises:
            TokenError: the endpoint gives none.
        """
        with self._turn:
            if self._token is None or self._token.is_expired(leeway=RENEWED_BEFORE_S):
                self._token = self._fetch()
            return str(self._token["access_token"])

    def _fetch(self) -> Any:
        asked = self._request
        try:
            with OAuth2Client(
                asked.client_id,
                asked.client_secret,
                scope=asked.scope or None,
                verify=ssl.create_default_context(cafile=asked.cafile or None),
                timeout=ANSWERS_WITHIN_S,
            ) as client:
                token = client.fetch_token(asked.url, grant_type="client_credentials")
                _ = token["access_token"]
                return token
        except (AuthlibBaseError, httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError, KeyError) as error:
            raise TokenError(
                f"sasl_oauth_token_url={asked.url} gives no token for {asked.client_id} ({error}); "
                "check it, sasl_username (the client id) and sasl_password (its secret)"
            ) from None


class KafkaPythonTokens(kafka.net.sasl.oauth.AbstractTokenProvider):
    """What kafka-python asks; it waits in its own network thread."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    def token(self) -> str:
        """See `TokenSource.token`."""
        return self._source.token()


class AiokafkaTokens(aiokafka.abc.AbstractTokenProvider):
    """What aiokafka and Faust ask, of any event loop, which goes on meanwhile."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    async def token(self) -> str:
        """See `TokenSource.token`."""
        return await asyncio.to_thread(self._source.token)
