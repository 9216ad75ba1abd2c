"""One process owns a checkpoints directory at a time, and every owner gets a higher number than the one before."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

LOCK_FILE = "lock"


class DirectoryInUseError(Exception):
    """Another process owns the directory."""


class DirectoryLock:
    """An advisory lock that the system releases when its owner dies, however it dies.

    Attributes:
        incarnation: how many owners the directory has had, this one included; on disk before anyone can read it here.
    """

    def __init__(self, directory: Path) -> None:
        """Own `directory`, making it where it is missing.

        Raises:
            DirectoryInUseError: another process owns it.
            OSError: it cannot be written.
        """
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.incarnation = self._count_up()
        except BlockingIOError:
            os.close(self._file)
            raise DirectoryInUseError(str(directory)) from None
        except OSError:
            os.close(self._file)
            raise

    def release(self) -> None:
        """Let another process in."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def _count_up(self) -> int:
        """A crash in the middle leaves the old or the new number: the few bytes go to disk in one write."""
        text = os.pread(self._file, 32, 0).strip()
        incarnation = int(text or b"0") + 1
        os.pwrite(self._file, f"{incarnation:<20}\n".encode(), 0)
        os.fsync(self._file)
        return incarnation
