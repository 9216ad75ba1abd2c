"""`interest-stream sink` as a process: it sets up logging and signals for all of its process."""

import os
import subprocess
import sys
from collections.abc import Mapping


def run_sink(*arguments: str, environment: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """Return when it has ended by itself; `environment` comes beside that of this process."""
    command = [sys.executable, "-m", "stream.cli", "sink", *arguments]
    return subprocess.run(
        command, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
