"""What is wanted of each figure, and the tables of the documents. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.benchmark.figures import Figure

HEAD = "| what | wanted | measured | beside it | ratio | command |\n|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Target:
    """One row of the table.

    Attributes:
        name: of the figure.
        what: in words.
        least_ratio: to the peer.
        most_ratio: to the peer.
        most: of the value itself.
    """

    name: str
    what: str
    least_ratio: float | None = None
    most_ratio: float | None = None
    most: float | None = None

    def is_met(self, figure: Figure) -> bool:
        """Whether a figure is as wanted; one of which nothing is wanted always is."""
        ratio = figure.ratio or 0.0
        return (
            (self.least_ratio is None or ratio >= self.least_ratio)
            and (self.most_ratio is None or ratio <= self.most_ratio)
            and (self.most is None or figure.value <= self.most)
        )

    def wanted(self, unit: str) -> str:
        """In words."""
        if self.least_ratio is not None:
            return f"ratio ≥ {self.least_ratio:,g}"
        if self.most_ratio is not None:
            return f"ratio ≤ {self.most_ratio:,g}"
        return "" if self.most is None else f"≤ {self.most:g} {unit}"


TARGETS = (
    Target("throughput_learning", "backlog of 400,000 events, 100,000 users, 50,000 items, learning", least_ratio=2),
    Target("throughput_no_learning", "the same, not learning", least_ratio=10),
    Target("latency_p50", "event to update at 1,000 events/s, learning: p50", most_ratio=2),
    Target("latency_p99", "the same: p99", most_ratio=3),
    Target("latency_max", "the same: longest", most=250),
    Target("latency_p50_beside_faust_echo", "the same, beside an echo: p50"),
    Target("latency_p99_beside_faust_echo", "the same: p99"),
    Target("latency_p50_beside_quixstreams_echo", "the same, beside another: p50"),
    Target("latency_p99_beside_quixstreams_echo", "the same: p99"),
    Target("cost_users_1000000", "cost of an event at 1,000,000 users", most_ratio=1.3),
    Target("cost_items_1000000", "cost of an event at 1,000,000 items", most_ratio=1.3),
    Target("cost_history_1000", "cost of an event of users with 1,000 events of history", most_ratio=1.1),
    Target("memory_per_million_users", "resident memory of a million users, one event each", most=0.6),
    Target("memory_per_million_users_with_event_ids", "the same, events with an `event_id`", most=0.6),
    Target("memory_per_million_users_full_windows", "the same, all windows full: 50 events", most=0.6),
    Target("compilations_after_start", "compilations after start-up, whatever sizes arrive", most=0),
    Target("start_empty", "start to first update, warm compilation cache, empty state", most=8),
    Target("start_1000000_users", "the same with 1,000,000 users", most=20),
    Target("online_step", "predicting and learning one user's events", least_ratio=1_000),
    Target("training_step", "the network's training step", least_ratio=1.5),
    Target("learning", "all of learning, counting memory and gate included"),
    Target("learning_beside_faust_echo", "the backlog, learning, beside an echo"),
    Target("learning_beside_quixstreams_echo", "the backlog, learning, beside an echo"),
)


def row(target: Target, figure: Figure) -> str:
    """A line of the table."""
    ratio = "" if figure.ratio is None else f"{figure.ratio:,.3g}"
    missed = "" if target.is_met(figure) else ", **missed**"
    beside = "" if figure.peer is None else f"{figure.peer:,g} {figure.unit}: {figure.peer_name}"
    measured = f"{figure.value:,g} {figure.unit}{missed}"
    cells = target.what, target.wanted(figure.unit), measured, beside, ratio, f"`{figure.command}`"
    return f"| {' | '.join(cells)} |"


def table(figures: Iterable[Figure], targets: Sequence[Target] = TARGETS) -> str:
    """Those of the figures that a target names, in the order of the targets."""
    by_name: Mapping[str, Figure] = {figure.name: figure for figure in figures}
    return "\n".join([HEAD, *(row(target, by_name[target.name]) for target in targets if target.name in by_name)])


def put_between(text: str, mark: str, content: str) -> str:
    """`text` with `content` between its lines `<!-- mark -->` and `<!-- end of mark -->`."""
    begin, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    if begin not in text or end not in text:
        raise ValueError(f"expected the lines {begin} and {end}")
    return re.sub(f"{begin}.*{end}", lambda _: f"{begin}\n\n{content}\n\n{end}", text, flags=re.DOTALL)
