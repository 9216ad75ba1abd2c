"""What a follower asks of a store, and what it keeps there beside the data. Knows no store."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import msgspec

from stream.sinks.changes import Changes


class Progress(msgspec.Struct, frozen=True):
    """How far the topics are in a store; written in one transaction with the data.

    Attributes:
        owner: the process that writes; another one that finds its own name gone ends.
        next_offsets: by topic and partition, as `interest-updates/0`.
        complete_at_ms: when the store last had all that the topics held; 0 while they are read anew.
    """

    owner: str
    next_offsets: dict[str, int]
    complete_at_ms: int


@dataclass(frozen=True)
class Written:
    """What a transaction did.

    Attributes:
        num_users: that got a newer update.
        num_items: that got a vector.
        num_stale: users to whom something as new was there.
        num_refused: users and items that this store cannot hold.
    """

    num_users: int
    num_items: int
    num_stale: int = 0
    num_refused: int = 0


class Destination(Protocol):
    """A store. Every method but `close` raises `AwayError` where it does not answer, `ConfigError` where it refuses."""

    def open(self) -> str | None:
        """Connect, or connect anew; the progress that is stored there."""

    def write(self, changes: Changes, before: str | None, after: str) -> Written | None:
        """Change everything and replace the progress, in one transaction.

        Erased users go first; then an update is written where nothing as new is there. Twice is as once.

        Returns:
            None where the stored progress is not `before`: nothing was written then.
        """

    def user_ids(self) -> Iterator[list[str]]:
        """All users that are there, some at a time; others may come and go meanwhile."""

    def item_ids(self) -> Iterator[list[str]]:
        """All items that are there, some at a time."""

    def close(self) -> None:
        """Leave."""
