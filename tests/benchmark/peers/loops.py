"""Consumers in processes of their own, which compute nothing: what a worker's speed is measured beside."""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from stream.settings import Settings
from tests.benchmark import peers

Command = list[str]

DOES_NOTHING = "stock Faust agent that does nothing"
BARE = "bare aiokafka consume-and-produce loop"
ECHOES = {
    "faust": "stock Faust agents that send on what they read",
    "quixstreams": "quixstreams, which sends on what it reads",
}


@contextmanager
def running(command: Command, *, is_heard: bool = True) -> Iterator[Iterable[str]]:
    """The lines that it says while it runs, none if it is not heard; it is killed at the end."""
    out = subprocess.PIPE if is_heard else subprocess.DEVNULL
    with subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process.stdout or ()
        finally:
            process.kill()


def counts(lines: Iterable[str]) -> Iterator[tuple[float, int]]:
    """When it was, in seconds, and how many records it had seen, of lines `count SECONDS RECORDS`."""
    for line in lines:
        if line.startswith("count "):
            _, at_s, count = line.split()
            yield float(at_s), int(count)


def stock_faust(settings: Settings) -> Command:
    """Reads all events."""
    return [sys.executable, "-m", f"{peers.__name__}.stock_faust", settings.broker, *settings.input_topics]


def bare_aiokafka(settings: Settings, to_topic: str) -> Command:
    """Sends every event on to a topic; says `ready` when it misses none from then on."""
    return [sys.executable, "-m", f"{peers.__name__}.bare_loop", settings.broker, to_topic, *settings.input_topics]


def echo(name: str, settings: Settings, to_topic: str) -> Command:
    """One of `ECHOES`, which sends every event on to a topic."""
    if name == "faust":
        return [*stock_faust(settings), "--to", to_topic]
    peers.require(peers.QUIXSTREAMS_PYTHON)
    script = peers.FOLDER / "quixstreams_echo.py"
    return [str(peers.QUIXSTREAMS_PYTHON), str(script), settings.broker, to_topic, *settings.input_topics]
