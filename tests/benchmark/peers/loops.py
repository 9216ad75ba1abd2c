"""Commands of consumers in processes of their own, which compute nothing: what a worker's speed is measured beside."""

import sys

from stream.settings import Settings
from tests.benchmark import peers

Command = list[str]

DOES_NOTHING = "stock Faust agent that does nothing"
BARE = "bare aiokafka consume-and-produce loop"
ECHOES = {
    "faust": "stock Faust agents that send on what they read",
    "quixstreams": "quixstreams, which sends on what it reads",
}


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
