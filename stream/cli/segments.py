"""`interest-stream segments`: users grouped by interest."""

import csv
from pathlib import Path
from typing import Literal

import click
import msgspec
import numpy as np

from stream.broker.security import Security
from stream.broker.topics import TopicNames
from stream.cli.options import as_json, with_settings
from stream.client import InterestSubscriber, ItemVectors
from stream.errors import ConfigError
from stream.nearest import VectorTable
from stream.segments import Segments, spherical_k_means
from stream.settings import Settings


class SegmentView(msgspec.Struct, frozen=True):
    """One segment.

    Attributes:
        segment: its number; 0 is the largest.
        users: in it.
        share: of all users.
        cosine: mean cosine of its users with its centre, in [-1, 1].
        items: the items nearest to its centre, nearest first.
    """

    segment: int
    users: int
    share: float
    cosine: float
    items: list[str]

    def line(self) -> str:
        """One plain line."""
        near = ", ".join(self.items) or "no item vectors yet"
        return f"segment {self.segment}: {self.users:,} users ({self.share:.1%}), cosine {self.cosine:.2f}: {near}"


@click.command()
@with_settings("broker", "topic_prefix", "seed", every=True)
@as_json
@click.option("--k", type=click.IntRange(min=1), default=20, show_default=True, help="Segments at the most.")
@click.option(
    "--by", type=click.Choice(["long-term", "now"]), default="long-term", show_default=True, help="Which interest."
)
@click.option("--items", "num_items", type=click.IntRange(min=1), default=5, show_default=True, help="Items named.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="CSV of user_id, segment, cosine.")
def segments(
    settings: Settings, *, as_json: bool, k: int, by: Literal["long-term", "now"], num_items: int, out: Path | None
) -> None:
    """Group the users in the topic of updates by interest, and name the items nearest to each group.

    The same updates, --k and --seed give the same segments.

    \b
    Example:
      interest-stream segments --k 20 --out segments.csv
    """
    names, security = TopicNames.of(settings), Security.of(settings)
    with ItemVectors(settings.broker, topic=names.item_vectors, security=security) as items:
        items.fill()
    with InterestSubscriber(settings.broker, topic=names.updates, security=security) as subscriber:
        updates = subscriber.snapshot()
    user_ids = sorted(updates)
    if not user_ids:
        raise ConfigError(f"{names.updates} holds no update: expected some, start a worker and send events")
    vectors = np.array([updates[u].long_term if by == "long-term" else updates[u].interest for u in user_ids])
    found = spherical_k_means(vectors.astype(np.float32), k, settings.seed)
    if out is not None:
        write_csv(out, user_ids, found)
    for view in views(found, items.table, num_items):
        click.echo(msgspec.json.encode(view) if as_json else view.line())


def views(found: Segments, items: VectorTable, num_items: int) -> list[SegmentView]:
    """Each segment with the items near it."""
    return [
        SegmentView(
            number,
            int((found.labels == number).sum()),
            round(float((found.labels == number).mean()), 4),
            round(float(found.cosines[found.labels == number].mean()), 4),
            [item for item, _ in items.nearest(centre.tolist(), num_items)],
        )
        for number, centre in enumerate(found.centres)
    ]


def write_csv(path: Path, user_ids: list[str], found: Segments) -> None:
    """A line for each user."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["user_id", "segment", "cosine"])
        of_users = zip(user_ids, found.labels.tolist(), found.cosines.tolist(), strict=True)
        rows.writerows((user_id, segment, f"{cosine:.4f}") for user_id, segment, cosine in of_users)
