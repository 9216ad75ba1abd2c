"""The map of interests: which users and items are on it, and where. Knows the engine, not who is watching."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from stream.flow.engine import Engine
from stream.flow.onlooker import Sighting
from stream.web.projection import Array, Projection

NUM_USERS = 200
NUM_CANDIDATES = 400  # users looked at for the strongest drift: about 10 ms of encoding a second
NUM_ITEMS = 320
NUM_DRIFTING = 8
NUM_NEAREST = 3
MIN_EVENTS = 5  # before that the first event alone decides the drift
DECIMALS = 4


class MapItem(msgspec.Struct, frozen=True, array_like=True):
    """An item's place, and its share of the recent events."""

    item_id: str
    x: float
    y: float
    share: float


class MapUser(msgspec.Struct, frozen=True, array_like=True):
    """A user's place, and how far from the long-term interest it is."""

    user_id: str
    x: float
    y: float
    drift: float


class Drifter(msgspec.Struct, frozen=True):
    """A user who drifts: from what, to what."""

    user_id: str
    drift: float
    num_events: int
    came_from: list[str]
    goes_to: list[str]


class Moves(msgspec.Struct, frozen=True):
    """What has changed within a second."""

    users: list[MapUser]
    drifters: list[Drifter]


class ItemsInSight:
    """Some popular items and their vectors.

    Attributes:
        item_ids: most popular first.
        vectors: `[items, dim]` float32 of length 1.
        share: `[items]` float32, of the recent events.
    """

    def __init__(self, item_ids: list[str], vectors: Array, share: Array) -> None:
        self.item_ids = item_ids
        self.vectors = vectors
        self.share = share

    def nearest(self, interests: Array) -> list[list[str]]:
        """For each of `[n, dim]` the nearest few."""
        if not self.item_ids:
            return [[] for _ in interests]
        order = np.argsort(-(interests @ self.vectors.T), axis=1, kind="stable")[:, :NUM_NEAREST]
        return [[self.item_ids[i] for i in row] for row in order.tolist()]


def items_in_sight(engine: Engine) -> ItemsInSight:
    """The items that the map shows."""
    reader = engine.learner.served
    popular = reader.popular_items(NUM_ITEMS)
    return ItemsInSight(
        reader.items.names_of(popular.slots),
        reader.item_vectors(popular.slots),
        popular.share,
    )


def users_in_sight(engine: Engine, panel: Sequence[str]) -> Sighting:
    """The users of `panel` as far as they are active, others in their place, and candidates."""
    onlooker = engine.updater.onlooker
    return onlooker.sight(next_panel(panel, onlooker.recently_active(NUM_CANDIDATES * 4))[:NUM_CANDIDATES])


def next_panel(panel: Sequence[str], active: Sequence[str]) -> list[str]:
    """Those of `panel` that are active, then the other active ones: who is watched stays while there is a reason."""
    are_active = set(active)
    kept = [user_id for user_id in panel if user_id in are_active]
    return list(dict.fromkeys([*kept, *active]))


def place_items(items: ItemsInSight, projection: Projection) -> list[MapItem]:
    """Items where they are."""
    rows = zip(items.item_ids, _short(projection.places), items.share.tolist(), strict=True)
    return [MapItem(item_id, x, y, round(share, 5)) for item_id, (x, y), share in rows]


def moves(sighting: Sighting, items: ItemsInSight, projection: Projection | None) -> Moves:
    """Where the panel's users are, and who drifts most of all that are in sight."""
    if projection is None:
        return Moves([], [])
    at = places(projection, sighting.interest[:NUM_USERS])
    rows = zip(sighting.user_ids[:NUM_USERS], at, sighting.drift.tolist(), strict=False)
    return Moves(
        [MapUser(user_id, x, y, round(drift, 3)) for user_id, (x, y), drift in rows],
        _drifters(sighting, items),
    )


def _drifters(sighting: Sighting, items: ItemsInSight) -> list[Drifter]:
    settled = np.flatnonzero(sighting.num_events >= MIN_EVENTS)
    most = settled[np.argsort(-sighting.drift[settled], kind="stable")[:NUM_DRIFTING]]
    came_from, goes_to = items.nearest(sighting.long_term[most]), items.nearest(sighting.interest[most])
    return [
        Drifter(sighting.user_ids[at], round(float(sighting.drift[at]), 3), int(sighting.num_events[at]), long, now)
        for at, long, now in zip(most.tolist(), came_from, goes_to, strict=True)
    ]


def places(projection: Projection, vectors: Array) -> list[Any]:
    """`[n, dim]` as pairs of short numbers."""
    return _short(projection.of(vectors))


def _short(at: Array) -> list[Any]:
    return np.round(at.astype(np.float64), DECIMALS).tolist()
