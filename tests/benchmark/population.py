"""Engines with many users and items, without living through all that it took to get there."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from models.saving import State, part_of, state_of
from stream.flow.engine import Engine
from stream.settings import Settings
from tests.benchmark.profile_event import decoded, fetches
from tests.benchmark.shop import Record, Shop

USER_ROWS = ("updater/windows/", "updater/admission/", "updater/interests/")
KNOWN_AT_ONCE = 1_024


def feed(engine: Engine, settings: Settings, records: Iterator[Record]) -> None:
    """Let micro-batches through, and learn nothing."""
    for fetched in fetches(records, settings):
        engine.process(decoded(fetched, settings))


def lived(settings: Settings, shop: Shop, history: int, first_ms: int) -> State:
    """The state after `history` events of each of the shop's users, on average; nothing is learned from them."""
    engine = Engine(settings.model_copy(update={"learning": False}))
    feed(engine, settings, shop.records(shop.users * history, first_ms))
    return state_of(engine.parts())


def multiplied(state: State, users: int) -> dict[str, Any]:
    """The state with as many users, named as a shop names them: each has the rows of one of those who are there."""
    known = len(state["updater/users/keys"])
    like = np.concatenate([[0], 1 + np.arange(users) % known])
    rows = {name: array[like] for name, array in state.items() if name.startswith(USER_ROWS)}
    return {
        **state,
        **rows,
        "updater/users/keys": [f"user-{user}".encode() for user in range(users)],
        "updater/users/last_used": np.arange(users),
        "updater/users/tick": np.array(users),
        "updater/users/free": np.zeros(0, np.int32),
    }


def settle(engine: Engine, state: State, items: int) -> None:
    """Let users of a state live here, and the learner, which has learned nothing, know all items of a shop."""
    engine.learner.items.restore(part_of(state, "learner/items"))
    engine.learner.queries.restore(part_of(state, "learner/queries"))
    engine.updater.restore(part_of(state, "updater"))
    random = np.random.default_rng(0)
    for start in range(0, items, KNOWN_AT_ONCE):
        ids = [f"item-{item}" for item in range(start, min(start + KNOWN_AT_ONCE, items))]
        slots = engine.learner.resolve_items(ids).slots
        before = np.zeros((len(slots), engine.learner.config.encoder_window), np.int32)
        before[:, -1] = random.permutation(slots)
        engine.learner._memory.learn(before, slots)
