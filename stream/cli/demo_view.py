"""How the demo looks: a live view on a terminal, plain lines elsewhere."""

import time

import click
import msgspec
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stream.cli.drift_view import UserView, drift_table, most_drifting
from stream.demo.showcase import Showcase
from stream.settings import Settings

LINE_EVERY_S = 3.0
REFRESH_S = 0.5
NUM_DRIFTING = 8
BAR_WIDTH = 40
RANKERS = (
    ("model (network and counts)", "recall_at_20"),
    ("its vectors alone", "vector_recall_at_20"),
    ("counting", "counting_recall_at_20"),
    ("popularity", "popularity_recall_at_20"),
)


def ways_to_look(settings: Settings) -> str:
    """Where else one sees the demo at work: the worker's live page, where it serves one, and `watch`."""
    host = "localhost" if settings.web_host in ("0.0.0.0", "::") else settings.web_host  # noqa: S104  (compared only)
    page = f"live page: http://{host}:{settings.web_port}/\n" if settings.web_port else ""
    return f"{page}elsewhere: interest-stream watch --embedded --broker {settings.broker}"


def plain_lines(show: Showcase, as_json: bool, ways: str) -> None:
    """A line every few seconds until all events are through."""
    if not as_json:
        click.echo(ways)
    next_line = 0.0
    while not show.is_over:
        show.advance()
        if time.monotonic() >= next_line:
            next_line = time.monotonic() + LINE_EVERY_S
            click.echo(msgspec.json.encode(show.status) if as_json else _line(show))
    if not as_json:
        for update in most_drifting(show.subscriber.users.values(), 3):
            click.echo(UserView.of(update, show.items.table).line())


def terminal_view(show: Showcase, as_json: bool, ways: str) -> None:
    """A live view until all events are through; the last picture stays on the terminal."""
    del as_json
    next_refresh = 0.0
    with Live(auto_refresh=False, vertical_overflow="crop") as live:
        while not show.is_over:
            show.advance()
            if time.monotonic() >= next_refresh:
                next_refresh = time.monotonic() + REFRESH_S
                live.update(_picture(show, ways), refresh=True)
        live.update(_picture(show, ways), refresh=True)


def _line(show: Showcase) -> str:
    status, latency = show.status, show.latency_ms()
    if not show.num_sent:
        return f"worker: {status.state}"
    recalls = ", ".join(f"{name} {_percent(getattr(status, of))}" for name, of in RANKERS)
    return (
        f"{status.events:,} of {show.plan.num_events:,} events, {show.events_per_s:,.0f}/s, "
        f"latency p50 {_ms(latency.p50)} p99 {_ms(latency.p99)}; recall@20: {recalls}"
    )


def _picture(show: Showcase, ways: str) -> Group:
    drifting = most_drifting(show.subscriber.users.values(), NUM_DRIFTING)
    views = [UserView.of(update, show.items.table) for update in drifting]
    return Group(Text(ways, style="dim"), _counters(show), Text(), _recalls(show), Text(), drift_table(views))


def _counters(show: Showcase) -> Table:
    status, latency = show.status, show.latency_ms()
    cells = {
        "worker": status.state,
        "events": f"{status.events:,} / {show.plan.num_events:,}",
        "events/s": f"{show.events_per_s:,.0f}",
        "latency p50": _ms(latency.p50),
        "p99": _ms(latency.p99),
        "updates": f"{show.num_updates:,}",
        "learned": f"{status.learned:,} + {status.replayed:,} replayed",
        "dead letters": str(status.refused),
        "recompiles": str(status.recompiles),
    }
    table = Table(expand=True, box=None)
    for name in cells:
        table.add_column(name, no_wrap=True)
    table.add_row(*cells.values())
    return table


def _recalls(show: Showcase) -> Table:
    table = Table(title="recall@20: next item among the first 20 of all", title_justify="left", expand=True, box=None)
    table.add_column("by", width=28, no_wrap=True)
    table.add_column("", width=7, justify="right")
    table.add_column("", ratio=1)
    for name, attribute in RANKERS:
        recall = getattr(show.status, attribute)
        table.add_row(name, _percent(recall), Text("█" * round(BAR_WIDTH * (recall or 0.0)), style="cyan"))
    return table


def _percent(ratio: float | None) -> str:
    return "-" if ratio is None else f"{100 * ratio:.1f} %"


def _ms(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds:.0f} ms"
