"""What is known of one user or one item. Each question takes milliseconds."""

import msgspec
import numpy as np

from stream.flow.engine import Engine
from stream.web.interest_map import places
from stream.web.projection import Projection

NUM_NEAREST = 8
NUM_FOUND = 8
PATH_MS = 3_600_000  # the last hour of the user's own time

Nearest = list[tuple[str, float]]


class WindowEvent(msgspec.Struct, frozen=True):
    """One event of a window; `subject` is None once it has left the vocabulary."""

    kind: str
    subject: str | None
    time_ms: int


class UserDetail(msgspec.Struct, frozen=True):
    """One user.

    Attributes:
        user_id: the id.
        drift: `1 - cos(interest, long-term interest)`.
        num_events: that have counted so far.
        window: newest first.
        now: items nearest to the interest, and cosines.
        long_term: items nearest to the long-term interest, and cosines.
        at: where the interest is on the map; None before there is a map.
        long_term_at: where the long-term interest is.
        path: `[x, y, time_ms]` after each event of the last hour, oldest first, seen with the model of now.
    """

    user_id: str
    drift: float
    num_events: int
    window: list[WindowEvent]
    now: Nearest
    long_term: Nearest
    at: tuple[float, float] | None = None
    long_term_at: tuple[float, float] | None = None
    path: list[tuple[float, float, int]] = []


class ItemDetail(msgspec.Struct, frozen=True):
    """One item: the items nearest to it, and where it is on the map."""

    item_id: str
    similar: Nearest
    at: tuple[float, float] | None = None


class Found(msgspec.Struct, frozen=True):
    """Ids that contain what was searched for."""

    users: list[str]
    items: list[str]


def find(engine: Engine, text: str) -> Found:
    """Users and items by a part of their id; the best first."""
    onlooker = engine.updater.onlooker
    return Found(onlooker.find_users(text, NUM_FOUND), onlooker.find_items(text, NUM_FOUND))


def user_detail(engine: Engine, user_id: str, projection: Projection | None) -> UserDetail | None:
    """All of a user; None for one that is not known."""
    onlooker = engine.updater.onlooker
    sighting = onlooker.sight([user_id])
    if not sighting.user_ids:
        return None
    interest, long_term = sighting.interest[0], sighting.long_term[0]
    window = [WindowEvent(*event) for event in reversed(engine.updater.window_of(user_id))]
    detail = UserDetail(
        user_id,
        round(float(sighting.drift[0]), 4),
        int(sighting.num_events[0]),
        window,
        _short(engine.nearest_items(interest, NUM_NEAREST)),
        _short(engine.nearest_items(long_term, NUM_NEAREST)),
    )
    if projection is None:
        return detail
    path = onlooker.path(user_id, int(sighting.newest_ms[0]) - PATH_MS)
    course = [(x, y, ms) for (x, y), ms in zip(places(projection, path.interest), path.times_ms.tolist(), strict=True)]
    at, long_term_at = places(projection, sighting.interest)[0], places(projection, sighting.long_term)[0]
    return msgspec.structs.replace(detail, at=at, long_term_at=long_term_at, path=course)


def item_detail(engine: Engine, item_id: str, projection: Projection | None) -> ItemDetail | None:
    """All of an item; None for one that is not known."""
    slot = engine.learner.items.get(item_id)
    if not slot:
        return None
    vectors = engine.learner.served.item_vectors(np.array([slot]))
    similar = [pair for pair in engine.nearest_items(vectors[0], NUM_NEAREST + 1) if pair[0] != item_id]
    at = places(projection, vectors)[0] if projection is not None else None
    return ItemDetail(item_id, _short(similar[:NUM_NEAREST]), at)


def _short(nearest: Nearest) -> Nearest:
    return [(item_id, round(score, 4)) for item_id, score in nearest]
