"""`interest-stream replay`: past events from files to the topics."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from stream.broker.bulk_producer import BulkProducer
from stream.broker.security import Security
from stream.broker.topics import TopicNames
from stream.cli.options import as_json, existing_files, with_settings
from stream.errors import ConfigError
from stream.event_logs import EventTypeMapping, Line, Refused, read_log
from stream.replay import ReplayCounts, ReplayPolicy, parse_speed, replay, shift_to_now_ms
from stream.settings import Settings

PROGRESS_EVERY_LINES = 500


@click.command("replay")
@with_settings("broker", "topic_prefix", every=True)
@as_json
@existing_files("files")
@click.option("--speed", default="max", show_default=True, metavar="1x|10x|max", help="Event time against the clock.")
@click.option(
    "--map",
    "pairs",
    multiple=True,
    metavar="TYPE=KIND",
    help="Event type to click, purchase or search; TYPE* for all that begin so. Repeatable.",
)
@click.option(
    "--keep-times/--now", default=True, help="Keep event times, or move them all so that the last one is now."
)
@click.option("--max-errors", type=click.IntRange(min=0), default=20, show_default=True, help="Unusable lines shown.")
def replay_command(
    settings: Settings,
    *,
    as_json: bool,
    files: tuple[Path, ...],
    speed: str,
    pairs: tuple[str, ...],
    keep_times: bool,
    max_errors: int,
) -> None:
    """Send past events to the topics of clicks, purchases and searches, file after file.

    FILES are CSV with the columns ts_ms,user_id,event_type and, of these, session_id,item_id,query,value; or JSON
    Lines with the fields of the events and `kind`; gzip too. A line that no worker would take is reported, not sent.

    \b
    Example:
      interest-stream replay shop.csv.gz --map 'added to*=click' --speed 10x
    """
    mapping = EventTypeMapping.parse(pairs)
    factor = parse_speed(speed)
    shift_ms = 0 if keep_times else shift_to_now_ms(_lines(files, mapping), factor, time.time_ns() // 1_000_000)
    policy = ReplayPolicy(factor, shift_ms, max_errors)
    names = TopicNames.of(settings)
    began_s = time.monotonic()
    with BulkProducer(settings.broker, names, security=Security.of(settings)) as producer:
        counts = _with_progress(replay(_lines(files, mapping), producer, policy, _report))
    if not counts.sent:
        raise ConfigError(f"none of {counts.lines} lines was sent: {_unused(counts) or 'no line there'}; see --map")
    summary = {
        "sent": {name: producer.delivered[name] for name in names.inputs},
        "lines": counts.lines,
        "unmapped": dict(counts.unmapped),
        "refused": dict(counts.refused),
        "seconds": round(time.monotonic() - began_s, 2),
    }
    click.echo(msgspec.json.encode(summary) if as_json else _sentence(summary, counts))


def _lines(files: tuple[Path, ...], mapping: EventTypeMapping) -> Iterator[Line]:
    for path in files:
        yield from read_log(path, mapping)


def _report(refused: Refused) -> None:
    click.echo(str(refused), err=True)


def _with_progress(progress_of: Iterator[ReplayCounts]) -> ReplayCounts:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    counts = ReplayCounts()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("lines", total=None)
        for counts in progress_of:
            if counts.lines % PROGRESS_EVERY_LINES == 0:
                progress.update(task, completed=counts.lines)
    return counts


def _sentence(summary: dict[str, object], counts: ReplayCounts) -> str:
    sent = summary["sent"]
    by_topic = ", ".join(f"{count:,} to {name}" for name, count in sent.items()) if isinstance(sent, dict) else ""
    unused = _unused(counts)
    return f"sent {by_topic} in {summary['seconds']} s" + (f"; {unused}" if unused else "")


def _unused(counts: ReplayCounts) -> str:
    parts = []
    if counts.unmapped:
        types = ", ".join(f"{name!r} {count:,}" for name, count in counts.unmapped.most_common())
        parts.append(f"{counts.unmapped.total():,} lines of types without a kind ({types})")
    if counts.refused:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in counts.refused.most_common())
        parts.append(f"{counts.refused.total():,} lines refused ({reasons})")
    return "; ".join(parts)
