"""Resident memory of processes, as Linux tells it."""

import ctypes
import os
from pathlib import Path

PR_SET_THP_DISABLE = 41  # of linux/prctl.h


def resident_bytes(pid: int | None = None) -> int:
    """Of a process, this one unless another is named."""
    lines = Path(f"/proc/{pid or os.getpid()}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def without_huge_pages() -> None:
    """Let this process be given small pages only, so that an array that grows takes what it holds.

    numpy asks for pages of 2 MiB, in which each of a table's twenty arrays grows: with them 150,000 users seem to
    take up to 50 bytes each more or less.

    Raises:
        OSError: the system does not know how.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_THP_DISABLE)")
