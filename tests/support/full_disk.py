"""A disk that can be filled up and freed: a small tmpfs where we may mount one, else a folder without new files."""

import contextlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE_MB = 64  # room for some checkpoints of the small model


class Disk:
    """The disk under `directory`."""

    def __init__(self, directory: Path, is_mounted: bool) -> None:
        self.directory = directory
        self._is_mounted = is_mounted

    @contextmanager
    def full(self) -> Iterator[None]:
        """No room for new files meanwhile."""
        with _ballast(self.directory / "ballast") if self._is_mounted else _refusal(self.directory):
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
def _refusal(directory: Path) -> Iterator[None]:
    """What users who may not mount get: `EACCES` in place of `ENOSPC`."""
    folders = [directory, *(path for path in directory.iterdir() if path.is_dir())]
    for folder in folders:
        folder.chmod(0o500)
    try:
        yield
    finally:
        for folder in folders:
            folder.chmod(0o700)
