"""`interest-stream watch`: interests as they move."""

import sys
import time
from collections import deque
from collections.abc import Iterator

import click
import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from stream.broker.security import Security
from stream.broker.topics import TopicNames
from stream.cli.drift_view import UserView, drift_table, most_drifting
from stream.cli.options import as_json, with_settings
from stream.cli.worker_line import WorkerLine, worker_table
from stream.client import InterestSubscriber, ItemVectors
from stream.demo.embedded_broker import MOCK_API_VERSION
from stream.records.updates import InterestUpdate
from stream.settings import Settings

NUM_DRIFTING = 12
REFRESH_S = 0.5
RATE_POLLS = 50  # about five seconds of them


@click.command()
@with_settings("broker", "topic_prefix", every=True)
@as_json
@click.option("--user", metavar="U", help="Only this user.")
@click.option("--from-beginning", is_flag=True, help="Begin with the newest update of every user so far.")
@click.option("--count", type=click.IntRange(min=1), help="End after this many updates.")
@click.option("--worker", "url", metavar="URL", help="A worker's HTTP server; by default one on this machine is tried.")
@click.option("--embedded", is_flag=True, help="The broker is a demo's; the demo says its address.")
@click.option("--items", "num_items", type=click.IntRange(min=1), default=3, show_default=True, help="Nearest items.")
def watch(
    settings: Settings,
    *,
    as_json: bool,
    user: str | None,
    from_beginning: bool,
    count: int | None,
    num_items: int,
    url: str | None,
    embedded: bool,
) -> None:
    """Follow interests and the items nearest to them until Ctrl-C.

    On a terminal the users who drift most, and how the worker does if it can be reached; with --user, --json or without
    a terminal one line an update. With --json and --worker a line of the worker's figures (those with "at_ms") too.

    \b
    Example:
      interest-stream watch --user user-0042
    """
    names = TopicNames.of(settings)
    worker = WorkerLine.of(settings, url)
    security = Security.of(settings)
    version = MOCK_API_VERSION if embedded else None
    with (
        ItemVectors(settings.broker, topic=names.item_vectors, api_version=version, security=security) as items,
        InterestSubscriber(settings.broker, topic=names.updates, api_version=version, security=security) as subscriber,
    ):
        items.fill()
        try:
            if sys.stdout.isatty() and not (as_json or user or count):
                _show_table(subscriber, items, worker, from_beginning=from_beginning, num_items=num_items)
            for number, update in enumerate(_updates(subscriber, items, from_beginning, user), 1):
                view = UserView.of(update, items.table, num_items)
                click.echo(msgspec.json.encode(view) if as_json else view.line())
                if as_json and url and (sample := worker.newer()):
                    click.echo(msgspec.json.encode(sample))
                if number == count:
                    break
        except KeyboardInterrupt:
            pass


def _updates(
    subscriber: InterestSubscriber, items: ItemVectors, from_beginning: bool, user: str | None
) -> Iterator[InterestUpdate]:
    updates = list(subscriber.snapshot().values()) if from_beginning else []
    while True:
        yield from (update for update in updates if user in (None, update.user_id))
        updates = subscriber.poll()
        items.poll()


def _show_table(
    subscriber: InterestSubscriber, items: ItemVectors, worker: WorkerLine, *, from_beginning: bool, num_items: int
) -> None:
    if from_beginning:
        subscriber.snapshot()
    with Live(console=Console(), auto_refresh=False, screen=True) as live:
        next_refresh = 0.0
        arrived: deque[tuple[float, int]] = deque(maxlen=RATE_POLLS)
        while True:
            arrived.append((time.monotonic(), len(subscriber.poll())))
            items.poll()
            if time.monotonic() >= next_refresh:
                next_refresh = time.monotonic() + REFRESH_S
                drifting = most_drifting(subscriber.users.values(), NUM_DRIFTING)
                figures = worker_table(worker.sample(), _per_s(arrived), len(subscriber.users))
                table = drift_table(UserView.of(u, items.table, num_items) for u in drifting)
                live.update(Group(figures, Text(), table), refresh=True)


def _per_s(arrived: deque[tuple[float, int]]) -> float:
    seconds = arrived[-1][0] - arrived[0][0]
    return (sum(count for _, count in arrived) - arrived[0][1]) / seconds if seconds else 0.0
