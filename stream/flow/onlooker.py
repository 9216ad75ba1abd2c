"""What is known of single users and items, for people to look at. Changes nothing."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from models.items.vocabulary import SlotTable
from models.saving import Array
from models.serving.reader import Reader
from stream.users.interests import EmissionPolicy, InterestState
from stream.users.windows import Windows

REMEMBERED_USERS = 4_096  # of the last updates; 32 KB
SEARCHED_KEYS = 200_000  # ids that a search looks through: about 10 ms


@dataclass(frozen=True)
class Sighting:
    """Some users as they are now.

    Attributes:
        user_ids: one a row.
        interest: `[users, dim]` float32 of length 1.
        long_term: `[users, dim]` float32 of length 1.
        drift: `[users]` float32 in [0, 2].
        num_events: `[users]` int64, events that have counted so far.
        newest_ms: `[users]` int64, event time of the newest event.
    """

    user_ids: list[str]
    interest: Array
    long_term: Array
    drift: Array
    num_events: Array
    newest_ms: Array


@dataclass(frozen=True)
class Path:
    """Where one user's interest was after each of its last events, seen with the model of now.

    Attributes:
        times_ms: `[events]` int64, oldest first.
        interest: `[events, dim]` float32 of length 1.
    """

    times_ms: Array
    interest: Array


class Onlooker:
    """Reads the tables of an updater.

    Args:
        users: slots of users.
        windows: a row a user.
        interests: a row a user.
        reader: encodes, and has the items.
        policy: of the long-term interest.
    """

    def __init__(
        self, users: SlotTable, windows: Windows, interests: InterestState, reader: Reader, policy: EmissionPolicy
    ) -> None:
        self._users = users
        self._windows = windows
        self._interests = interests
        self._reader = reader
        self._policy = policy
        self._recent: deque[int] = deque(maxlen=REMEMBERED_USERS)

    def note(self, users: Array) -> None:
        """Rows of users that have just had an update."""
        self._recent.extend(users.tolist())

    def recently_active(self, num_users: int) -> list[str]:
        """Ids of the users with the newest updates, newest first."""
        slots = np.array(list(dict.fromkeys(reversed(self._recent))), np.int32)
        return [name for name in self._users.names_of(slots) if name][:num_users]

    def sight(self, user_ids: Iterable[str]) -> Sighting:
        """Users as they are now; those that are not known are left out."""
        asked = list(dict.fromkeys(user_ids))
        found = self._users.find(asked)
        known, rows = [asked[at] for at in np.flatnonzero(found)], found[found > 0].astype(np.int64)
        interest = self._reader.encode(self._windows.newest(rows, self._reader.config.encoder_window))
        num_events, newest_ms = self._windows.num_events(rows), self._windows.newest_ms(rows)
        looked = self._interests.look(rows, interest, newest_ms, self._policy)
        return Sighting(known, interest, looked.long_term, looked.drift, num_events, newest_ms)

    def path(self, user_id: str, since_ms: int) -> Path:
        """The course of a user's interest over its window, from `since_ms` on; empty for one that is not known."""
        slot = self._users.get(user_id)
        _, _, times_ms = self._windows.of(slot)
        later = np.arange(len(times_ms))[::-1]
        recent = times_ms >= since_ms if slot else np.zeros(len(times_ms), bool)
        users = np.full(int(recent.sum()), slot, np.int64)
        windows = self._windows.until(users, later[recent], self._reader.config.encoder_window)
        return Path(times_ms[recent], self._reader.encode(windows))

    def find_users(self, text: str, num_users: int) -> list[str]:
        """Ids that contain `text`: an exact one first, then those active of late, then any."""
        exact = [text] if text in self._users else []
        recent = self.recently_active(REMEMBERED_USERS)
        return _containing(text, [exact, recent, self._users.keys()], num_users)

    def find_items(self, text: str, num_items: int) -> list[str]:
        """Item ids that contain `text`, an exact one first."""
        exact = [text] if self._reader.items.get(text) else []
        return _containing(text, [exact, self._reader.items.keys()], num_items)


def _containing(text: str, sources: Sequence[Iterable[str]], limit: int) -> list[str]:
    """Up to `limit` different keys that contain `text`, whatever the case, in the order of the sources."""
    wanted = text.casefold()
    keys = (key for source in sources for key in islice(source, SEARCHED_KEYS) if wanted in key.casefold())
    found: dict[str, None] = {}
    for key in keys:
        found[key] = None
        if len(found) == limit:
            break
    return list(found)
