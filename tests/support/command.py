"""`interest-stream` as a process, for commands that set up logging and signals for all of theirs."""

import os
import subprocess
import sys
from collections.abc import Mapping

COMMAND = [sys.executable, "-m", "stream.cli"]


def run_command(*arguments: str, environment: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """Return when it has ended by itself; `environment` comes beside that of this process."""
    return subprocess.run(
        [*COMMAND, *arguments], env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
