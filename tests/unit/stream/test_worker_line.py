from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import click
import msgspec
import pytest
from rich.console import Console

from stream.cli.worker_line import WorkerLine, worker_table
from stream.web.history import Quality, Sample, TopicFlow

SAMPLE = Sample(
    7, "running", {"clicks": TopicFlow(90, 40.0, 1_234)}, {"mixture": Quality(0.5, 0.2), "counting": Quality(0.4, 0.1)}
)


class Answer(BaseHTTPRequestHandler):
    """A server that knows one path and one token."""

    def do_GET(self) -> None:
        is_asked_well = self.path == "/live/now" and self.headers["Authorization"] == "Bearer s3cret"
        self.send_response(200 if is_asked_well else 401)
        self.end_headers()
        self.wfile.write(msgspec.json.encode(SAMPLE))

    def log_message(self, format: str, *args: object) -> None:
        """Keep silent."""


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def shown(sample: Sample | None) -> str:
    console = Console(width=160)
    with console.capture() as capture:
        console.print(worker_table(sample, updates_per_s=33.0, num_users=12))
    return capture.get()


def test_a_worker_is_asked_with_the_token_and_its_figures_are_shown(url: str):
    text = shown(WorkerLine(url, "s3cret").sample())

    for figure in ("running", "40", "1,234", "50.0 %", "40.0 %", "33", "12"):
        assert figure in text


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_worker_that_refuses_counts_as_one_that_cannot_be_reached(url: str, token: str):
    assert WorkerLine(url, token).sample() is None
    assert "cannot be reached" in shown(None)


def test_the_same_sample_is_not_new_twice(url: str):
    line = WorkerLine(url, "s3cret")

    assert line.newer() == SAMPLE
    assert line.newer() is None


def test_what_is_no_address_is_refused():
    with pytest.raises(click.BadParameter, match="expected http"):
        WorkerLine("file:///etc/passwd", "")
