"""What an evaluation found, as one object: figures, how sure they are, and for whom. Pure."""

from typing import Any

import numpy as np

from models.inputs.features import KINDS
from models.quality.bootstrap import UserSums
from models.quality.evaluation import RANKERS
from models.quality.predictions import figures, gains

NEW_USER_EVENTS = 5  # a user with fewer clicks and purchases before is new
NEW_ITEM_EVENTS = 10  # an item with fewer occurrences before is new
LONG_PAUSE_MS = 7 * 86_400_000  # a user with nothing for that long comes back
SURE_FIGURES = ("recall@20", "mrr@20", "ndcg@10", "accuracy")
BASELINE = "counting"
BOOTSTRAP = 7  # purpose of random numbers


def groups(predictions: np.ndarray) -> dict[str, np.ndarray]:
    """The predictions `[n]` of each group for which figures are told apart; groups overlap."""
    kinds = {KINDS[kind]: predictions["kind"] == kind for kind in np.unique(predictions["kind"]).tolist()}
    is_new_user = predictions["user_events"] < NEW_USER_EVENTS
    is_new_item = predictions["item_events"] < NEW_ITEM_EVENTS
    parts = {"new users": is_new_user, "old users": ~is_new_user, "new items": is_new_item, "old items": ~is_new_item}
    parts["first items"] = predictions["user_events"] == 0
    parts["users who come back"] = predictions["pause_ms"] >= LONG_PAUSE_MS
    return {name: predictions[which] for name, which in {**kinds, **parts}.items() if which.any()}


def sureness(predictions: np.ndarray, seed: int) -> dict[str, Any]:
    """Intervals of the main figures by ranker, and each ranker against counting."""
    if not len(predictions):
        return {"interval": {}, f"against_{BASELINE}": {}}
    rng = np.random.default_rng([seed, BOOTSTRAP])
    users = UserSums(predictions["part"], predictions["user"])
    sums = {
        ranker: {name: users.of(gain) for name, gain in gains(predictions["ranks"][:, at]).items()}
        for at, ranker in enumerate(RANKERS)
    }
    return {
        "interval": {r: {name: users.interval(sums[r][name], rng) for name in SURE_FIGURES} for r in RANKERS},
        f"against_{BASELINE}": {
            r: {name: users.compare(sums[r][name], sums[BASELINE][name], rng)._asdict() for name in SURE_FIGURES}
            for r in RANKERS
            if r != BASELINE
        },
    }


def by_part(predictions: np.ndarray) -> list[dict[str, Any]]:
    """The main figures of each stretch, in order."""
    parts = []
    for part in np.unique(predictions["part"]).tolist():
        own = predictions[predictions["part"] == part]
        parts.append({"part": part, "predictions": len(own), **brief(figures(own))})
    return parts


def brief(of_all: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """The main figures only."""
    return {r: {name: value for name, value in named.items() if name in SURE_FIGURES} for r, named in of_all.items()}


def rounded(value: Any) -> Any:
    """All floats within `value` to six decimals, for people to read."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return value
