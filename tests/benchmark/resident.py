"""Resident memory of processes, as Linux tells it."""

import os
from pathlib import Path


def resident_bytes(pid: int | None = None) -> int:
    """Of a process, this one unless another is named."""
    lines = Path(f"/proc/{pid or os.getpid()}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024
