"""How an evaluation looks to people: a line a stretch, then tables. Pure."""

from collections.abc import Iterator
from typing import Any

from models.quality.evaluation import RANKERS


def part_line(part: dict[str, Any]) -> str:
    """A stretch in a line."""
    cells = (f"{ranker} {part[ranker]['recall@20']:.4f} / {part[ranker]['mrr@20']:.4f}" for ranker in RANKERS)
    return f"part {part['part']}: {part['predictions']:,} predictions, recall@20 / MRR@20: " + ", ".join(cells)


def report_lines(report: dict[str, Any]) -> Iterator[str]:
    """The whole report."""
    names = list(report[RANKERS[0]])
    yield f"\n{'':14}" + "".join(f"{ranker:>12}" for ranker in RANKERS)
    for name in names:
        yield f"{name:14}" + "".join(f"{report[ranker].get(name, float('nan')):12.4f}" for ranker in RANKERS)
    yield "\n95 % intervals over users, and the difference to counting (p by sign flips over users)"
    for ranker, intervals in report["interval"].items():
        for name, (low, high) in intervals.items():
            against = report["against_counting"].get(ranker, {}).get(name)
            yield f"{ranker:12}{name:12}[{low:.4f}, {high:.4f}]" + (_versus(against) if against else "")
    yield "\nrecall@20 / MRR@20 by group"
    for group, own in report["groups"].items():
        cells = (f"{own[r]['recall@20']:.4f} / {own[r]['mrr@20']:.4f}" for r in RANKERS)
        yield f"{group:20} {own['predictions']:9,}  " + "  ".join(cells)
    yield (
        f"\n{report['predictions']:,} predictions from {report['events']:,} events at {report['events_per_s']:,.0f}/s; "
        f"besides, {report['unseen_items']:,} of items never seen before, {report['without_window']:,} without a window"
    )


def _versus(against: dict[str, float]) -> str:
    low, high = against["low"], against["high"]
    return f"  {against['difference']:+.4f} [{low:+.4f}, {high:+.4f}] p {against['p_value']:.3f}"
