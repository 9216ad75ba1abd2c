"""A disk that can be filled up and freed: a small tmpfs where we may mount one, else a quota on the worker's files."""

import contextlib
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE_MB = 64  # room for some checkpoints of the small model
QUOTA_BYTES = 32 * 1024  # more than the worker's log, less than a checkpoint's arrays


class Disk:
    """The disk under `directory`."""

    def __init__(self, directory: Path, is_mounted: bool) -> None:
        self.directory = directory
        self._is_mounted = is_mounted

    @contextmanager
    def full(self, pid: int) -> Iterator[None]:
        """No room for the process `pid` meanwhile."""
        if self._is_mounted:
            with _ballast(self.directory / "ballast"):
                yield
        else:
            with _quota(pid):
                yield


@contextmanager
def small_disk(directory: Path) -> Iterator[Disk]:
    """A disk of `SIZE_MB`, mounted at `directory`, or what comes nearest to it."""
    directory.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(directory)]
    is_mounted = subprocess.run(["mount", *options], capture_output=True, check=False).returncode == 0
    try:
        yield Disk(directory, is_mounted)
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(directory)], check=True)


@contextmanager
def _ballast(path: Path) -> Iterator[None]:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 65_536)
    try:
        yield
    finally:
        path.unlink()


@contextmanager
def _quota(pid: int) -> Iterator[None]:
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (QUOTA_BYTES, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
