"""The HTTP server of a real worker on a real Kafka, from its first moment to its last."""

import json
import urllib.error
import urllib.request
from typing import Any

from aiohttp.test_utils import unused_port

from tests.integration.test_worker import a_worker, send, settings, some_events
from tests.support.waiting import wait_until

__all__ = ["settings"]  # a fixture


class Http:
    """What a port answers: `get(path)` is status and decoded body, status 0 while nobody listens."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(self._address + path, timeout=10) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.loads(refusal.read())
        except urllib.error.URLError:
            return 0, None


def test_probes_answer_from_the_first_moment_and_the_port_closes_with_the_worker(settings, tmp_path):
    send(settings, some_events(600))
    port = unused_port()
    http = Http(port)
    with a_worker(settings, tmp_path, {"INTEREST_WEB_PORT": str(port)}) as worker:
        wait_until(lambda: http.get("/livez")[0], 60, "it listens")
        status, ready = http.get("/readyz")
        assert (status, ready["state"], ready["compiled"]) == (503, "compiling", False)

        worker.wait_for(lambda s: s.records == 600, "all records are through")
        assert http.get("/livez") == (200, {"alive": True, "state": "running", "faults": [], "warnings": []})
        assert http.get("/readyz")[0] == 200

        assert worker.stop() == 0
    assert http.get("/livez")[0] == 0
