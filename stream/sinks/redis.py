"""Users and items as hashes in Redis or Valkey; vectors are little-endian float32, as its vector search wants them.

For one server, or a primary with replicas; not for a cluster, whose transactions stay within a slot.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np
from redis import Redis, WatchError
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.exceptions import AuthenticationError, AuthorizationError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from stream.errors import AwayError, ConfigError
from stream.records.updates import InterestUpdate
from stream.sinks.changes import Changes
from stream.sinks.destination import Written

Fields = dict[Any, Any]

ANSWERS_WITHIN_S = 10.0
KEYS_A_SCAN = 1_000
PASSWORD = re.compile(r"(?<=:)[^:@/]*(?=@)")


class RedisDestination:
    """Hashes under a prefix: `user:ID` and `item:ID`, and the follower's progress as `progress`.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        prefix: of all keys.

    Raises:
        ConfigError: the URL is none.
    """

    def __init__(self, url: str, prefix: str) -> None:
        self._where = f"Redis at {PASSWORD.sub('…', url)}"
        self._user, self._item, self._progress = (f"{prefix}{name}".encode() for name in ("user:", "item:", "progress"))
        try:
            self._redis: Redis = Redis.from_url(
                url,
                socket_timeout=ANSWERS_WITHIN_S,
                socket_connect_timeout=ANSWERS_WITHIN_S,
                retry=Retry(NoBackoff(), 0),  # the follower tries again
            )
        except ValueError as error:
            raise ConfigError(f"{self._where}: {error}") from error

    def open(self) -> str | None:
        """See `Destination`."""
        self._redis.connection_pool.disconnect()
        with self._errors():
            return _text(self._redis.get(self._progress))

    def write(self, changes: Changes, before: str | None, after: str) -> Written | None:
        """See `Destination`."""
        with self._errors(), self._redis.pipeline() as pipe:
            pipe.watch(self._progress)  # type: ignore[no-untyped-call]
            stored, versions = self._read(changes.updates)
            if stored != before:
                return None
            pipe.multi()
            num_users = self._queue(pipe, changes, versions)
            pipe.set(self._progress, after)
            try:
                pipe.execute()
            except WatchError:
                return None
        return Written(num_users, len(changes.vectors), num_stale=len(changes.updates) - num_users)

    def user_ids(self) -> Iterator[list[str]]:
        """See `Destination`."""
        return self._ids(self._user)

    def item_ids(self) -> Iterator[list[str]]:
        """See `Destination`."""
        return self._ids(self._item)

    def close(self) -> None:
        """Leave."""
        self._redis.close()

    def _read(self, updates: Iterable[InterestUpdate]) -> tuple[str | None, dict[str, int]]:
        """The stored progress, and the versions of those of the users that are there."""
        ids = [update.user_id for update in updates]
        reading = self._redis.pipeline(transaction=False)
        reading.get(self._progress)
        for user_id in ids:
            reading.hget(_key(self._user, user_id), "version")
        stored, *versions = reading.execute()
        return _text(stored), {user: int(version) for user, version in zip(ids, versions, strict=True) if version}

    def _queue(self, pipe: Pipeline, changes: Changes, versions: dict[str, int]) -> int:
        """Queue what changes; the number of users that get an update."""
        num_users = 0
        for user_id, change in changes.users.items():
            key = _key(self._user, user_id)
            is_newer = change.update is not None and change.update.version > versions.get(user_id, -1)
            if change.is_erased or is_newer:
                pipe.delete(key)  # fields that the new update lacks go with the old one
            if change.update is not None and (change.is_erased or is_newer):
                pipe.hset(key, mapping=_fields(change.update))
                num_users += 1
        for item_id in changes.dropped:
            pipe.delete(_key(self._item, item_id))
        for item in changes.vectors:
            fields: Fields = {"model_step": item.model_step, "vector": _bytes(item.vector)}
            pipe.hset(_key(self._item, item.item_id), mapping=fields)
        return num_users

    def _ids(self, prefix: bytes) -> Iterator[list[str]]:
        pattern = re.sub(rb"([*?\[\]\\])", rb"\\\1", prefix) + b"*"
        cursor = 0
        while True:
            with self._errors():
                found: Any = self._redis.scan(cursor, match=pattern, count=KEYS_A_SCAN)
            cursor, keys = found
            yield [key[len(prefix) :].decode() for key in keys]
            if cursor == 0:
                return

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Whose problem it is."""
        try:
            yield
        except (AuthenticationError, AuthorizationError) as error:
            raise ConfigError(f"{self._where} does not let us in: {error}; say name and password in the URL") from error
        except (RedisConnectionError, RedisTimeoutError, ReadOnlyError) as error:
            raise AwayError(self._where, str(error)) from error
        except ResponseError as error:
            if str(error).startswith(("OOM", "MISCONF", "NOREPLICAS", "MASTERDOWN")):  # full, or cannot save
                raise AwayError(self._where, str(error)) from error
            raise ConfigError(f"{self._where} refuses: {error}") from error
        except RedisError as error:
            raise ConfigError(f"{self._where}: {error}") from error


def _fields(update: InterestUpdate) -> Fields:
    """The hash of a user."""
    fields: Fields = {
        "version": update.version,
        "time_ms": update.time_ms,
        "model_step": update.model_step,
        "interest": _bytes(update.interest),
        "long_term": _bytes(update.long_term),
        "drift": update.drift,
        "num_events": update.num_events,
    }
    if update.top_items is not None:
        fields["top_items"] = msgspec.json.encode(update.top_items)
    if update.uncertainty is not None:
        fields["uncertainty"] = update.uncertainty
    return fields


def _bytes(vector: list[float]) -> bytes:
    return np.asarray(vector, "<f4").tobytes()


def _key(prefix: bytes, name: str) -> bytes:
    return prefix + name.encode()


def _text(value: bytes | str | None) -> str | None:
    return value.decode() if isinstance(value, bytes) else value
