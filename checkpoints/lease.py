"""Who may write into a checkpoints directory: one process at a time, under a number that only grows.

Assumed: all processes are on one machine, or share a file system whose locks, hard links and writes all of them see.
"""

import contextlib
import fcntl
import os
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from checkpoints.durable import sync_directory

OWNERS = "owners"
BEATS_PER_LEASE = 5


class DirectoryInUseError(Exception):
    """Another process owns the directory."""


class LeaseLostError(Exception):
    """Another process has taken over; nothing may be written any more."""


def clock_s() -> float:
    """Seconds that go on while a process, or the machine, sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def newest_owner(directory: Path) -> int:
    """The number of the last process that took the directory; 0 if none ever did."""
    try:
        names = os.listdir(directory / OWNERS)  # noqa: PTH208  (a check before every commit: no objects around names)
    except FileNotFoundError:
        return 0
    return max((int(name) for name in names if name.isdecimal()), default=0)


class OwnerWatch:
    """Judges from outside whether the owner of a directory is gone.

    It is when its lock is free, which the system sees to however it dies, or when its heartbeat has not changed for
    `lease_s` of the watcher's own clock: a process that is stopped keeps its locks.

    Args:
        directory: may be missing.
        lease_s: the same for all who share the directory.
    """

    def __init__(self, directory: Path, lease_s: float) -> None:
        self._directory = directory
        self._lease_s = lease_s
        self._seen: tuple[int, bytes] | None = None
        self._seen_at = 0.0

    def vacant_after(self, now_s: float) -> int | None:
        """The number of the owner that is gone, 0 if there was none, `None` while there is one.

        Args:
            now_s: of a clock that never goes back.
        """
        owner = newest_owner(self._directory)
        if owner == 0:
            return 0
        try:
            seen = owner, _read_beat(self._directory / OWNERS / str(owner))
        except FileNotFoundError:  # a successor tidied up in between
            return None
        if seen[1] is _UNLOCKED:
            return owner
        if seen != self._seen:
            self._seen, self._seen_at = seen, now_s
        return owner if now_s - self._seen_at >= self._lease_s else None


class DirectoryLease:
    """The right to write, as long as no higher number is in the directory. A context manager.

    Every owner has a file of its own, named by its number, and touches no other, so that one which slept cannot undo
    what its successor did. Of two that want the same number the file system lets one have it.

    Attributes:
        incarnation: how many owners the directory has had, this one included.
    """

    def __init__(
        self,
        directory: Path,
        after: int,
        lease_s: float = 10.0,
        *,
        on_lost: Callable[[str], None] = lambda sentence: None,
        clock: Callable[[], float] = clock_s,
    ) -> None:
        """Take the directory over, making it where it is missing, and beat from a thread until `release`.

        Args:
            directory: to own.
            after: the owner that is gone, from `OwnerWatch.vacant_after`.
            lease_s: how long a heartbeat holds.
            on_lost: told once, in one sentence, from whatever thread notices first.
            clock: in seconds.

        Raises:
            DirectoryInUseError: somebody else was quicker.
            OSError: it cannot be written.
        """
        self.incarnation = after + 1
        self._directory = directory
        self._lease_s = lease_s
        self._on_lost = on_lost
        self._clock = clock
        self._num_beats = 0
        self._released = threading.Event()
        self._renewed_at = clock()
        self._file = _make_owner(directory, self.incarnation)
        self._beating = threading.Thread(target=self._beat_on, name="lease", daemon=True)
        self._beating.start()

    def check(self) -> None:
        """Raise if the lease may be lost; costs nothing while the last heartbeat holds.

        Raises:
            LeaseLostError: another process has taken over.
        """
        if self._clock() - self._renewed_at >= self._lease_s * (1 - 1 / BEATS_PER_LEASE):
            self.renew()

    def renew(self) -> None:
        """Beat, and look whether the directory is still ours.

        Raises:
            LeaseLostError: another process has taken over.
        """
        at, is_visible = self._clock(), self._beat()
        newest = newest_owner(self._directory)
        if newest != self.incarnation:
            sentence = (
                f"worker {newest} has taken over the checkpoints in {self._directory} while this one, number "
                f"{self.incarnation}, did not run; it ends without writing anything"
            )
            self._on_lost(sentence)
            raise LeaseLostError(sentence)
        if is_visible:
            self._renewed_at = at

    def release(self) -> None:
        """Let another process in. Idempotent."""
        if not self._released.is_set():
            self._released.set()
            self._beating.join()
            os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def _beat(self) -> bool:
        """Whether others can see that this process is alive: a full disk may refuse even to overwrite."""
        self._num_beats += 1
        try:
            os.pwrite(self._file, f"{self._num_beats:<20}\n".encode(), 0)
        except OSError:
            return False
        return True

    def _beat_on(self) -> None:
        with contextlib.suppress(LeaseLostError):
            while not self._released.wait(self._lease_s / BEATS_PER_LEASE):
                self.renew()


def take(
    directory: Path, lease_s: float = 10.0, *, on_lost: Callable[[str], None] = lambda sentence: None
) -> DirectoryLease:
    """Own `directory` at once.

    Raises:
        DirectoryInUseError: another process owns it.
        OSError: it cannot be written.
    """
    after = OwnerWatch(directory, lease_s).vacant_after(clock_s())
    if after is None:
        raise DirectoryInUseError(str(directory))
    return DirectoryLease(directory, after, lease_s, on_lost=on_lost)


_UNLOCKED = b"unlocked"


def _read_beat(path: Path) -> bytes:
    """What the owner wrote last, or `_UNLOCKED` where it lives no more."""
    file = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: watchers do not hide a free lock from each other
    except BlockingIOError:
        return os.pread(file, 32, 0)
    finally:
        os.close(file)
    return _UNLOCKED


def _make_owner(directory: Path, incarnation: int) -> int:
    """A locked file for this owner, which appears under its number at once or not at all; removes those before it."""
    owners = directory / OWNERS
    owners.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = owners / f"draft-{uuid.uuid4().hex}"
    file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.link(draft, owners / str(incarnation))
        sync_directory(owners)
    except FileExistsError:
        os.close(file)
        raise DirectoryInUseError(str(directory)) from None
    except OSError:
        os.close(file)
        raise
    finally:
        draft.unlink(missing_ok=True)
    for path in owners.iterdir():
        if path.name.isdecimal() and int(path.name) < incarnation:
            path.unlink(missing_ok=True)
    return file
