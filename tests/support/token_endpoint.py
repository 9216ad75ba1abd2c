"""A token endpoint of our own: the part that an identity provider plays elsewhere."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

AUDIENCE, ISSUER = "kafka", "http://tests"


class TokenEndpoint:
    """Gives signed tokens to one client. A context manager.

    Attributes:
        url: where it is asked.
        key_set: the public keys as JSON, for who checks tokens.
        num_given: tokens given so far.
    """

    def __init__(self, client_id: str, client_secret: str, lifetime_s: int = 600) -> None:
        self._key = RSAKey.generate_key(2048, {"kid": "test", "use": "sig", "alg": "RS256"})
        self.key_set = json.dumps(KeySet([self._key]).as_dict(private=False))
        self._login = f"Basic {base64.b64encode(f'{client_id}:{client_secret}'.encode()).decode()}"
        self._client_id, self._lifetime_s = client_id, lifetime_s
        self.num_given = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, login: str, form: dict[str, list[str]]) -> tuple[int, dict[str, object]]:
        """Status and body, as RFC 6749 has them."""
        if login != self._login:
            return 401, {"error": "invalid_client"}
        if form.get("grant_type") != ["client_credentials"]:
            return 400, {"error": "unsupported_grant_type"}
        self.num_given += 1
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": self._client_id, "iat": now, "exp": now + self._lifetime_s}
        token = jwt.encode({"alg": "RS256", "kid": "test"}, claims, self._key)
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": self._lifetime_s}


def _handler(endpoint: TokenEndpoint) -> type[BaseHTTPRequestHandler]:
    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            status, answer = endpoint.answer(self.headers.get("Authorization", ""), form)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return Answers
