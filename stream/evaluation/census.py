"""Who and what was seen before each event. Pure."""

from collections.abc import Iterable

import numpy as np

from models.quality.predictions import PREDICTION
from stream.evaluation.sources import Stretch
from stream.flow.columns import EventColumns

NEVER = -1


class Census:
    """Counts users and items as the stream goes by.

    Attributes:
        num_events: counted so far.
    """

    def __init__(self) -> None:
        self.num_events = 0
        self._user_of: dict[str, int] = {}
        self._num_of_user: list[int] = []
        self._last_ms: list[int] = []
        self._known_item_in: list[int] = []  # the last stretch in which the user met a known item
        self._item_of: dict[str, int] = {}
        self._num_of_item: list[int] = []
        self._first_in: list[int] = []  # the stretch in which the item was first seen

    def rows(self, targets: EventColumns, stretch: Stretch) -> np.ndarray:
        """A row of `PREDICTION` for each event, not ranked yet; the events count from then on."""
        rows = np.zeros(len(targets), PREDICTION)
        rows["part"], rows["kind"], rows["time_ms"] = stretch.number, targets.kinds, targets.times_ms
        rows["position"] = self.num_events + np.arange(len(targets))
        seen = zip(targets.user_ids.tolist(), targets.subjects.tolist(), targets.times_ms.tolist(), strict=True)
        names = ["user", "user_events", "pause_ms", "item_events", "is_judged"]
        for name, column in zip(names, _columns(self._count(*event, stretch) for event in seen), strict=False):
            rows[name] = column
        self.num_events += len(targets)
        return rows

    def numbers_of_users(self) -> Iterable[tuple[str, int]]:
        """Every user's id and the number that stands for it in the rows."""
        return self._user_of.items()

    def _count(self, user_id: str, item_id: str, time_ms: int, stretch: Stretch) -> tuple[int, int, int, int, bool]:
        user, item = self._user(user_id), self._item(item_id, stretch.number)
        pause_ms = time_ms - self._last_ms[user] if self._num_of_user[user] else NEVER
        row = user, self._num_of_user[user], pause_ms, self._num_of_item[item], self._is_judged(user, item, stretch)
        self._num_of_user[user] += 1
        self._num_of_item[item] += 1
        self._last_ms[user] = time_ms
        return row

    def _is_judged(self, user: int, item: int, stretch: Stretch) -> bool:
        if not stretch.known_only:
            return stretch.is_judged
        if self._first_in[item] == stretch.number:
            return False
        is_first = self._known_item_in[user] != stretch.number
        self._known_item_in[user] = stretch.number
        return stretch.is_judged and not is_first

    def _user(self, user_id: str) -> int:
        user = self._user_of.setdefault(user_id, len(self._user_of))
        if user == len(self._num_of_user):
            self._num_of_user.append(0)
            self._last_ms.append(0)
            self._known_item_in.append(NEVER)
        return user

    def _item(self, item_id: str, number: int) -> int:
        item = self._item_of.setdefault(item_id, len(self._item_of))
        if item == len(self._num_of_item):
            self._num_of_item.append(0)
            self._first_in.append(number)
        return item


def _columns(rows: Iterable[tuple[int, ...]]) -> np.ndarray:
    return np.array(list(rows), np.int64).reshape(-1, 5).T
