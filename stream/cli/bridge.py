"""`interest-stream bridge`: events as other systems write them, from their topic to ours."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
import msgspec

from stream.broker.bulk_producer import BulkProducer
from stream.broker.security import Security
from stream.broker.topics import TopicNames
from stream.cli.options import as_json, optional, with_settings
from stream.errors import ConfigError
from stream.event_logs import parse_kinds
from stream.foreign.bridge import Bridge, BridgeCounts, ToJson
from stream.foreign.formats import load_format
from stream.foreign.mapping import EventMapper
from stream.logs import set_up
from stream.settings import Settings

SAYS_EVERY_S = 10.0


@click.command("bridge")
@with_settings("broker", "topic_prefix", every=True)
@as_json
@click.argument("topic")
@click.option(
    "--format", "name", required=True, metavar="NAME|FILE.toml", help="segment, ga4, personalize, metarank, …"
)
@click.option("--map", "pairs", multiple=True, metavar="TYPE=KIND", help="More event types. Repeatable.")
@click.option(
    "--encoding", type=click.Choice(["json", "avro", "protobuf"]), default="json", show_default=True, help="Of records."
)
@click.option("--schema-registry", "registry", metavar="URL", help="Where the schemas of avro and protobuf are.")
@click.option("--until-idle", type=float, metavar="SECONDS", help="End when nothing has come for so long.")
def bridge(
    settings: Settings,
    *,
    as_json: bool,
    topic: str,
    name: str,
    pairs: tuple[str, ...],
    encoding: str,
    registry: str | None,
    until_idle: float | None,
) -> None:
    """Follow TOPIC and send its events on to the topics of clicks, purchases and searches.

    The formats of Segment, Google Analytics 4 (its export), Amazon Personalize, Metarank and CloudEvents are there by
    name; a TOML file with the same fields describes any other. Ends on SIGTERM; goes on where it was. Avro and Protobuf
    records, whose schemas a registry has, are read by their fields' names as JSON objects are.

    \b
    Example:
      interest-stream bridge segment-events --format segment
    """
    mapper = EventMapper(load_format(name), parse_kinds(pairs))
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    progress = _Progress(as_json, idle_s=until_idle or float("inf"))
    security = Security.of(settings)
    with (
        _to_json(encoding, registry) as to_json,
        BulkProducer(settings.broker, TopicNames.of(settings), security=security) as producer,
    ):
        set_up(settings)
        group = f"{settings.app_id}-bridge-{topic}"
        with Bridge(settings.broker, topic, group, mapper, producer, security=security, to_json=to_json) as running:
            running.run(lambda counts: progress.saw(counts) or ended.is_set())
    progress.say(running.counts)


@contextmanager
def _to_json(encoding: str, registry: str | None) -> Iterator[ToJson]:
    """What reads an encoding."""
    if encoding == "json":
        if registry:
            raise ConfigError("--schema-registry goes with --encoding avro or protobuf, got json")
        yield lambda value: value
        return
    if not registry:
        raise ConfigError(f"--encoding {encoding} needs --schema-registry URL")
    module = optional("stream.foreign.registry", "registry")
    with module.RegistryDecoder(registry, encoding) as decoder:
        yield decoder.to_json


class _Progress:
    """Prints counts now and then, and notices when nothing comes any more."""

    def __init__(self, as_json: bool, idle_s: float) -> None:
        self._as_json, self._idle_s = as_json, idle_s
        self._records, self._moved_at = 0, time.monotonic()
        self._said_at = time.monotonic()

    def saw(self, counts: BridgeCounts) -> bool:
        """Whether nothing has come for long, though nobody is waited for."""
        now = time.monotonic()
        if counts.records != self._records or counts.away:
            self._records, self._moved_at = counts.records, now
        if now - self._said_at >= SAYS_EVERY_S:
            self._said_at = now
            self.say(counts)
        return now - self._moved_at > self._idle_s

    def say(self, counts: BridgeCounts) -> None:
        """One line."""
        if self._as_json:
            click.echo(msgspec.json.encode(counts))
            return
        sent = ", ".join(f"{count:,} {kind}s" for kind, count in counts.sent.items()) or "nothing"
        refused = ", ".join(f"{reason} {count:,}" for reason, count in counts.refused.items())
        click.echo(
            f"{counts.records:,} records: {sent} sent, {counts.without_events:,} of other types"
            + (f", refused to the dead letters: {refused}" if refused else "")
            + (f"; waiting for {counts.away}" if counts.away else "")
        )
