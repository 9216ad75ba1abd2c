"""What a batch of records from the compacted topics changes: one change for each user and item. Pure."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from stream.errors import EventError
from stream.records.updates import Headers, InterestUpdate, ItemVector, decode_item_vector, decode_update

logger = logging.getLogger(__name__)


class OutputRecord(msgspec.Struct, frozen=True, gc=False):
    """A record of either topic; `is_item` tells which."""

    is_item: bool
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass
class UserChange:
    """What becomes of a user.

    Attributes:
        is_erased: what is there goes, whatever its version.
        update: stands there then, unless what is there is as new; None where nothing came.
    """

    is_erased: bool = False
    update: InterestUpdate | None = None


@dataclass
class Changes:
    """What becomes of users and items.

    Attributes:
        items: None where the item goes.
        num_stale: updates that were not newer than another one of the same batch.
        num_unreadable: records that are not what their topic is for.
    """

    users: dict[str, UserChange] = field(default_factory=dict)
    items: dict[str, ItemVector | None] = field(default_factory=dict)
    num_stale: int = 0
    num_unreadable: int = 0

    @property
    def erased(self) -> list[str]:
        """Users of whom what is there goes."""
        return [user_id for user_id, change in self.users.items() if change.is_erased]

    @property
    def updates(self) -> list[InterestUpdate]:
        """The newest of each user that has one."""
        return [change.update for change in self.users.values() if change.update is not None]

    @property
    def dropped(self) -> list[str]:
        """Items that go."""
        return [item_id for item_id, item in self.items.items() if item is None]

    @property
    def vectors(self) -> list[ItemVector]:
        """The newest of each item that has one."""
        return [item for item in self.items.values() if item is not None]


def changes_of(records: Iterable[OutputRecord]) -> Changes:
    """The sum of the records, which are in order for each user and item.

    Raises:
        EventError: a record is of a schema that this version does not know.
    """
    changes = Changes()
    for record in records:
        try:
            (_take_item if record.is_item else _take_user)(changes, record)
        except (EventError, ValueError, msgspec.MsgspecError) as error:
            if isinstance(error, EventError) and error.reason == "unknown_schema":
                raise
            logger.warning("a record of %s cannot be read", "an item" if record.is_item else "a user")
            changes.num_unreadable += 1
    return changes


def without(user_ids: Iterable[str], item_ids: Iterable[str] = ()) -> Changes:
    """These go."""
    return Changes({user_id: UserChange(is_erased=True) for user_id in user_ids}, dict.fromkeys(item_ids))


def _take_user(changes: Changes, record: OutputRecord) -> None:
    key = _key(record)
    if record.value is None:
        changes.users[key.decode()] = UserChange(is_erased=True)
        return
    update = decode_update(key, record.value, record.headers)
    change = changes.users.setdefault(update.user_id, UserChange())
    if change.update is None or update.version > change.update.version:
        change.update = update
    else:
        changes.num_stale += 1


def _take_item(changes: Changes, record: OutputRecord) -> None:
    key = _key(record)
    if record.value is None:
        changes.items[key.decode()] = None
        return
    item = decode_item_vector(key, record.value, record.headers)
    changes.items[item.item_id] = item


def _key(record: OutputRecord) -> bytes:
    if record.key is None:
        raise EventError("no_key", "expected the id as the key")
    return record.key
