"""Everything that ten minutes can measure, one JSON line for each figure on stdout, progress on stderr.

    make bench
    .venv/bin/python -m tests.benchmark.bench [PART…] [--plots docs/performance]

Each part is a command of its own, runs in a process of its own, and names itself in its figures. One that fails, for
want of a peer or of a broker, says why; the others go on, and the exit code is 1.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmark.figures import say

PARTS = ("throughput", "latency", "learning_speed", "start", "batch_sizes", "scaling", "memory", "compilations")
DRAWING = ("latency", "batch_sizes", "scaling")


def command_of(part: str, plots: Path | None) -> list[str]:
    """The command line of a part."""
    drawing = ["--plots", str(plots)] if plots and part in DRAWING else []
    return [sys.executable, "-m", f"tests.benchmark.{part}", *drawing]


def run(parts: Sequence[str], plots: Path | None) -> list[str]:
    """Run parts one after the other; returns those that failed. Figures are theirs to print."""
    failed = []
    for part in parts:
        say(f"-- {part}")
        began = time.monotonic()
        done = subprocess.run(command_of(part, plots), check=False)
        how = "failed, see above" if done.returncode else "done"
        say(f"-- {part}: {how}, {time.monotonic() - began:.0f} s")
        if done.returncode:
            failed.append(part)
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all unless named")
    parser.add_argument("--plots", type=Path, help="a folder for the pictures")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if failed := run(asked.parts or PARTS, asked.plots):
        say(f"failed: {', '.join(failed)}")
        sys.exit(1)


if __name__ == "__main__":
    main()
