"""Names that last: a file that was renamed or linked is there after a power cut only once its directory is synced."""

import os
from pathlib import Path


def sync_directory(directory: Path) -> None:
    """Return when the directory's names are on the disk.

    Raises:
        OSError: the disk refuses.
    """
    file = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
