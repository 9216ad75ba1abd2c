"""What `watch` and `demo` show of users: who drifts most, from what to what. Knows neither broker nor worker."""

import heapq
from collections.abc import Iterable

import msgspec
from rich.table import Table

from stream.nearest import VectorTable
from stream.records.updates import InterestUpdate

MIN_EVENTS = 5  # before that the first event alone decides the drift


class UserView(msgspec.Struct, frozen=True):
    """A user's update beside the items near it.

    Attributes:
        nearest: items and cosines near the interest, nearest first.
        long_term: items and cosines near the long-term interest.
    """

    user_id: str
    version: int
    time_ms: int
    drift: float
    num_events: int
    nearest: list[tuple[str, float]]
    long_term: list[tuple[str, float]]

    @classmethod
    def of(cls, update: InterestUpdate, items: VectorTable, num_items: int = 3) -> "UserView":
        """The view of an update."""
        return cls(
            update.user_id,
            update.version,
            update.time_ms,
            round(update.drift, 4),
            update.num_events,
            _rounded(items.nearest(update.interest, num_items)),
            _rounded(items.nearest(update.long_term, num_items)),
        )

    def line(self) -> str:
        """One plain line."""
        near = ", ".join(f"{item} {score:.2f}" for item, score in self.nearest) or "no item vectors yet"
        return f"{self.user_id} v{self.version} drift {self.drift:.3f} after {self.num_events} events: {near}"


def most_drifting(updates: Iterable[InterestUpdate], num_users: int) -> list[InterestUpdate]:
    """The users whose interest is furthest from their long-term one, furthest first."""
    settled = (update for update in updates if update.num_events >= MIN_EVENTS)
    return heapq.nlargest(num_users, settled, key=lambda update: update.drift)


def drift_table(views: Iterable[UserView]) -> Table:
    """Users as a table for a terminal."""
    table = Table(title="users who drift most", title_justify="left", expand=True)
    for name in ("user", "drift", "events"):
        table.add_column(name, justify="left" if name == "user" else "right", no_wrap=True)
    table.add_column("from (long-term interest)", ratio=1, no_wrap=True)
    table.add_column("to (interest now)", ratio=1, no_wrap=True)
    for view in views:
        table.add_row(
            view.user_id, f"{view.drift:.3f}", str(view.num_events), _names(view.long_term), _names(view.nearest)
        )
    return table


def _names(items: list[tuple[str, float]]) -> str:
    return " · ".join(item for item, _ in items)


def _rounded(items: list[tuple[str, float]]) -> list[tuple[str, float]]:
    return [(item, round(score, 4)) for item, score in items]
