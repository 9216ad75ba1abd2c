"""`interest-stream watch`: interests as they move."""

import sys
import time
from collections.abc import Iterator

import click
import msgspec
from rich.console import Console
from rich.live import Live

from stream.broker.topics import TopicNames
from stream.cli.drift_view import UserView, drift_table, most_drifting
from stream.cli.options import as_json, with_settings
from stream.client import InterestSubscriber, ItemVectors
from stream.records.updates import InterestUpdate
from stream.settings import Settings

NUM_DRIFTING = 12
REFRESH_S = 0.5


@click.command()
@with_settings("broker", "topic_prefix", every=True)
@as_json
@click.option("--user", metavar="U", help="Only this user.")
@click.option("--from-beginning", is_flag=True, help="Begin with the newest update of every user so far.")
@click.option("--count", type=click.IntRange(min=1), help="End after this many updates.")
@click.option("--items", "num_items", type=click.IntRange(min=1), default=3, show_default=True, help="Nearest items.")
def watch(
    settings: Settings, *, as_json: bool, user: str | None, from_beginning: bool, count: int | None, num_items: int
) -> None:
    """Follow interests and the items nearest to them until Ctrl-C.

    On a terminal the users who drift most, as a table; with --user, --json or without a terminal one line an update.

    \b
    Example:
      interest-stream watch --user user-0042
    """
    names = TopicNames.of(settings)
    with (
        ItemVectors(settings.broker, topic=names.item_vectors) as items,
        InterestSubscriber(settings.broker, topic=names.updates) as subscriber,
    ):
        items.fill()
        try:
            if sys.stdout.isatty() and not (as_json or user or count):
                _show_table(subscriber, items, from_beginning, num_items)
            for number, update in enumerate(_updates(subscriber, items, from_beginning, user), 1):
                view = UserView.of(update, items.table, num_items)
                click.echo(msgspec.json.encode(view) if as_json else view.line())
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


def _show_table(subscriber: InterestSubscriber, items: ItemVectors, from_beginning: bool, num_items: int) -> None:
    if from_beginning:
        subscriber.snapshot()
    with Live(console=Console(), auto_refresh=False, screen=True) as live:
        next_refresh = 0.0
        while True:
            subscriber.poll()
            items.poll()
            if time.monotonic() >= next_refresh:
                next_refresh = time.monotonic() + REFRESH_S
                drifting = most_drifting(subscriber.users.values(), NUM_DRIFTING)
                live.update(drift_table(UserView.of(u, items.table, num_items) for u in drifting), refresh=True)
