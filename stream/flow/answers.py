"""What may be asked of the live state: reads of a few milliseconds each."""

from dataclasses import dataclass

import numpy as np

from models.saving import Array
from stream.flow.engine import Engine

ScoredItem = tuple[str, float]


@dataclass(frozen=True)
class Current:
    """Where a user's interest is at this moment.

    Attributes:
        interest: `[dim]` float32 of length 1.
        long_term: `[dim]` float32 of length 1.
        drift: `1 - cos(interest, long_term)`.
        time_ms: event time of the user's newest event.
        num_events: events of the user that have counted so far.
        model_step: learning steps behind the vector.
    """

    interest: Array
    long_term: Array
    drift: float
    time_ms: int
    num_events: int
    model_step: int


def current_interest(engine: Engine, user_id: str) -> Current | None:
    """The user's interest by today's model; None for one that has no events."""
    looked = engine.updater.look(user_id)
    if looked is None:
        return None
    interests, time_ms, num_events = looked
    vectors = interests.short_term[0], interests.long_term[0]
    return Current(*vectors, float(interests.drift[0]), time_ms, num_events, engine.learner.served.model_step)


def recommended_items(engine: Engine, user_id: str, k: int) -> list[ScoredItem] | None:
    """The `k` items that the whole model expects most of the user next, and how probable each is; None for a stranger.

    What is left out, and how diverse they are, is a setting.
    """
    return engine.recommend(user_id, k)


def similar_items(engine: Engine, item_id: str, k: int) -> list[ScoredItem] | None:
    """The `k` other items nearest to one; None for an item that has no vector of its own."""
    slot = engine.learner.items.get(item_id)
    if not slot:
        return None
    vector = engine.learner.served.item_vectors(np.array([slot]))[0]
    return [(other, score) for other, score in engine.nearest_items(vector, k + 1) if other != item_id][:k]
