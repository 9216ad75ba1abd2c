"""`interest-stream sink`: interests and item vectors into a store that others serve from."""

import signal
import threading
import time
import uuid

import click
import msgspec

from stream.broker.security import Security
from stream.broker.topics import TopicNames
from stream.cli.options import Command, as_json, optional, with_settings
from stream.logs import set_up
from stream.settings import Settings
from stream.sinks.destination import Destination
from stream.sinks.follower import Follower, SinkStatus
from stream.sinks.output_log import OutputLog

SAYS_EVERY_S = 10.0


def _follows(command: Command) -> Command:
    """What both stores' commands take."""
    options = (
        with_settings("broker", "topic_prefix", every=True),
        as_json,
        click.option("--rebuild", is_flag=True, help="Empty the store first."),
        click.option("--once", is_flag=True, help="End when the store has all that the topics hold."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def sink() -> None:
    """Keep Redis, Valkey or PostgreSQL as the topics of interests and item vectors are.

    A process of its own: the worker knows nothing of it. It goes on where the store is, over restarts and outages of
    the store, the broker and itself; versions never go back, and whom the worker erased goes here too.

    \b
    Example:
      interest-stream sink redis
    """


@sink.command("redis")
@_follows
@click.option("--url", default="redis://localhost:6379/0", show_default=True, help="redis://, rediss:// or unix://.")
@click.option("--prefix", default="interest:", show_default=True, help="Of all keys.")
def to_redis(settings: Settings, *, as_json: bool, rebuild: bool, once: bool, url: str, prefix: str) -> None:
    """Follow into Redis or Valkey: a hash for each user and each item, vectors as little-endian float32.

    \b
    Example:
      interest-stream sink redis --url redis://cache:6379/0
    """
    module = optional("stream.sinks.redis", "redis")
    _follow(settings, module.RedisDestination(url, prefix), rebuild, _Words(as_json, once))


@sink.command("pgvector")
@_follows
@click.option("--url", default="postgresql://localhost/postgres", show_default=True, help="How psycopg connects.")
@click.option("--schema", default="interest", show_default=True, help="Of the tables; made where it is missing.")
@click.option("--index/--no-index", default=True, help="An HNSW index of the items. [on]")
def to_pgvector(
    settings: Settings, *, as_json: bool, rebuild: bool, once: bool, url: str, schema: str, index: bool
) -> None:
    """Follow into PostgreSQL with the extension pgvector: the tables users and items.

    \b
    Example:
      interest-stream sink pgvector --url postgresql://shop@db/shop
    """
    module = optional("stream.sinks.pgvector", "pgvector")
    _follow(settings, module.PgvectorDestination(url, schema, index), rebuild, _Words(as_json, once))


class _Words:
    """Says a line now and then, and whether it is over."""

    def __init__(self, as_json: bool, once: bool) -> None:
        self._as_json, self._once = as_json, once
        self._ended = threading.Event()
        self._said_at = time.monotonic()

    def end(self, *_: object) -> None:
        """End soon."""
        self._ended.set()

    def is_over(self, status: SinkStatus) -> bool:
        """To be asked often."""
        if time.monotonic() - self._said_at >= SAYS_EVERY_S:
            self._said_at = time.monotonic()
            self.say(status)
        return self._ended.is_set() or (self._once and status.state == "following")

    def say(self, status: SinkStatus) -> None:
        """One line."""
        if self._as_json:
            click.echo(msgspec.json.encode(status))
            return
        lag = "lag not known" if status.lag is None else f"lag {status.lag:,}"
        others = ", ".join(
            f"{name} {count:,}"
            for name in ("erased", "dropped", "stale", "unreadable", "refused")
            if (count := getattr(status, name))
        )
        click.echo(
            f"{status.state}, {lag}: {status.users:,} users' and {status.items:,} items' vectors written"
            + (f", {others}" if others else "")
        )


def _follow(settings: Settings, destination: Destination, rebuild: bool, words: _Words) -> None:
    set_up(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, words.end)
    log = OutputLog(settings.broker, TopicNames.of(settings), Security.of(settings))
    try:
        follower = Follower(log, destination, owner=uuid.uuid4().hex, rebuild=rebuild)
        follower.run(words.is_over)
        words.say(follower.status)
    finally:
        destination.close()
        log.close()
