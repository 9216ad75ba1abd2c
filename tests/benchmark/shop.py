"""Events of a large, made-up shop in no time: users and items by popularity, columns of numpy."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.inputs.features import CLICK, PURCHASE, SEARCH
from stream.records.events import Click, Event, Purchase, Search, encode_event

KIND_SHARES = {CLICK: 0.85, PURCHASE: 0.05, SEARCH: 0.10}
Record = tuple[int, bytes, bytes]  # kind, key and value
CLUSTER = 50  # items that are looked at together; a user goes on in its cluster 3 times of 4


@dataclass(frozen=True)
class Shop:
    """How many of each."""

    users: int = 100_000
    items: int = 50_000
    seed: int = 0

    def records(self, count: int, first_ms: int) -> Iterator[Record]:
        """Kind, key and value of `count` records, a millisecond apart."""
        random = np.random.default_rng(self.seed)
        kinds = random.choice(list(KIND_SHARES), count, p=list(KIND_SHARES.values()))
        users = random.integers(self.users, size=count)
        items = self.items_of(users, random)
        for at, (kind, user, item) in enumerate(zip(kinds.tolist(), users.tolist(), items.tolist(), strict=True)):
            yield kind, *encode_event(_event(kind, f"user-{user}", item, first_ms + at))

    def items_of(self, users: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """`[n]` items: mostly of the user's own cluster, popular ones more often."""
        popular = (self.items * random.random(len(users)) ** 3).astype(np.int64)
        own = users * 7_919 % (self.items // CLUSTER) * CLUSTER + random.integers(CLUSTER, size=len(users))
        return np.where(random.random(len(users)) < 0.75, own, popular)


def _event(kind: int, user: str, item: int, time_ms: int) -> Event:
    if kind == CLICK:
        return Click(user, f"item-{item}", time_ms)
    if kind == PURCHASE:
        return Purchase(user, f"item-{item}", time_ms, quantity=1.0, price=float(item % 97))
    return Search(user, f"things of sort {item // CLUSTER}", time_ms)
