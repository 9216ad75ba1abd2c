"""`interest-stream demo`: a broker, a simulated shop and a worker in one go."""

import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import FrameType
from typing import Any

import click
import msgspec
from pydantic import SecretStr

from stream.broker.security import Security
from stream.broker.topics import TopicNames
from stream.cli.demo_view import plain_lines, terminal_view, ways_to_look
from stream.cli.options import with_settings
from stream.demo.embedded_broker import MOCK_PARTITIONS, EmbeddedBroker
from stream.demo.shopkeeper import ShopPlan
from stream.demo.showcase import Showcase
from stream.settings import Settings

# Settings that suit the demo, where nobody said otherwise.
SUITED: dict[str, Any] = {
    "long_term_ms": 10_000,  # a simulated user comes back every few seconds, not days
    "fetch_max_wait_ms": 20,  # the embedded broker holds an empty fetch back for so long, whatever comes meanwhile
}


@click.command()
@with_settings("update_format", "seed", every=True)
@click.option("--events", type=click.IntRange(min=1), default=50_000, show_default=True, help="End after so many.")
@click.option("--rate", type=click.FloatRange(min=1), default=1_500.0, show_default=True, help="Events a second.")
@click.option("--json", "as_json", is_flag=True, help="Print the state of the show every few seconds as JSON lines.")
def demo(settings: Settings, events: int, rate: float, as_json: bool) -> None:
    """Watch a model learn from a stream: an embedded broker, a simulated shop, a worker.

    Needs nothing but this command. On a terminal a live view, else plain lines; a live page is at the address shown
    first. The last line is a JSON object.

    \b
    Example:
      interest-stream demo --events 20000
    """
    is_called_off = _call_off_by_signals()
    names = TopicNames.of(settings)
    topics = [*names.inputs, names.updates, names.item_vectors, names.dead_letters]
    plan = ShopPlan(num_events=events, events_per_s=rate, seed=settings.seed)
    view = terminal_view if sys.stdout.isatty() and not as_json else plain_lines
    with tempfile.TemporaryDirectory(prefix="interest-stream-") as scratch, EmbeddedBroker(topics) as broker:
        worker_settings = settings.model_copy(
            update={name: value for name, value in SUITED.items() if name not in settings.model_fields_set}
            | {"broker": broker.bootstrap, "checkpoint_dir": Path(scratch) / "checkpoints"}
            | {one.name: one.default for one in fields(Security)}
            | {"sasl_password": SecretStr("")}  # whatever the environment says of another broker
            | {"partitions": MOCK_PARTITIONS, "topic_check": False}  # the embedded broker has no topic configurations
        )
        with Showcase(worker_settings, plan, is_called_off) as show:
            view(show, as_json, ways_to_look(worker_settings))
            summary = show.finish()
    click.echo(msgspec.json.encode(summary))


def _call_off_by_signals() -> Callable[[], bool]:
    """Whether Ctrl-C or SIGTERM came; the second one interrupts.

    A KeyboardInterrupt that is raised inside of a finaliser or of a library's callback is lost, and the show goes on.
    """
    was_called_off = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        if was_called_off.is_set():
            raise KeyboardInterrupt
        was_called_off.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    return was_called_off.is_set
