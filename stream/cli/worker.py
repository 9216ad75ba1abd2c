"""`interest-stream worker`: the Faust worker in this process."""

import asyncio
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import click
import msgspec

from stream.cli.options import as_json, with_settings
from stream.logs import set_up
from stream.memory import keep_what_is_free, search_rarely
from stream.settings import Settings
from stream.status import WorkerStatus

if TYPE_CHECKING:
    from stream.app import InterestApp

STATUS_EVERY_S = 1.0


@click.command(epilog="Example:  interest-stream worker --broker localhost:9092 --checkpoint-dir checkpoints/data")
@with_settings("broker", "app_id", "topic_prefix", "checkpoint_dir", "log_level", every=True)
@as_json
def worker(settings: Settings, as_json: bool) -> None:
    """Consume events, learn from them and emit interest vectors, until SIGTERM or Ctrl-C.

    Every setting is a flag (--window-size 20); `interest-stream settings` lists them.
    """
    set_up(settings)
    keep_what_is_free()
    search_rarely()  # imports make many objects and no garbage: a second of the start would go to searches
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # raised within a native import it would crash that
    import faust  # noqa: PLC0415  (with jax two seconds of imports, which `--help` need not wait for)

    from stream.app import build_app  # noqa: PLC0415

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    app = build_app(settings)
    reporting = loop.create_task(_report(app)) if as_json else None
    _prepare(app, loop)
    running = faust.Worker(app, loop=loop, quiet=True, stdout=sys.stderr, override_logging=False)
    running.spinner = None  # it would write a terminal's codes before a line of the log
    try:
        running.execute_from_commandline()
    finally:
        if reporting is not None:
            _print_status(app.status())


def _prepare(app: "InterestApp", loop: asyncio.AbstractEventLoop) -> None:
    """Return when the app is ready; until then a signal ends the process, for there is nothing to save."""
    signals = signal.SIGTERM, signal.SIGINT
    for one in signals:
        loop.add_signal_handler(one, os._exit, 0)
    loop.run_until_complete(app.prepare())
    for one in signals:
        loop.remove_signal_handler(one)


async def _report(app: "InterestApp") -> None:
    """Print a status line every `STATUS_EVERY_S`, with the rate since the line before."""
    before, at = app.status(), time.monotonic()
    while True:
        status, now = app.status(), time.monotonic()
        is_comparable = before.state in ("joining", "running") and now > at  # before, nothing is restored
        rate = (status.events - before.events) / (now - at) if is_comparable else 0.0
        _print_status(msgspec.structs.replace(status, events_per_s=round(rate, 1)))
        before, at = status, now
        await asyncio.sleep(STATUS_EVERY_S)


def _print_status(status: WorkerStatus) -> None:
    click.echo(msgspec.json.encode(status))
