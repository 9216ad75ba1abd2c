"""Everything that ten minutes can measure, one JSON line for each figure on stdout, progress on stderr.

    make bench
    .venv/bin/python -m tests.benchmark.bench [PART…] [--docs docs]

Each part is a command of its own and runs in a process of its own. One that fails, for want of a peer or of a broker,
says why; the others go on, and the exit code is 1. With `--docs` the pictures and tables there are drawn anew, from
these figures and from older ones of parts that did not run.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmark.figures import Figure, machine, say, show
from tests.benchmark.targets import TARGETS, put_between, table

PARTS = ("throughput", "latency", "learning_speed", "start", "batch_sizes", "scaling", "memory", "compilations")
DRAWING = ("latency", "batch_sizes", "scaling")
MARK = "figures of make bench"
TELLING = ("throughput_learning", "throughput_no_learning", "latency_p50", "latency_p99", "cost_users_1000000")


def command_of(part: str, docs: Path | None) -> list[str]:
    """The command line of a part."""
    drawing = ["--plots", str(docs / "performance")] if docs and part in DRAWING else []
    return [sys.executable, "-m", f"tests.benchmark.{part}", *drawing]


def run(part: str, docs: Path | None) -> Iterator[Figure]:
    """Figures of a part as they come.

    Raises:
        RuntimeError: it failed, and has said why on stderr.
    """
    with subprocess.Popen(command_of(part, docs), stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            yield Figure.from_json(line)
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}")


def run_all(parts: Sequence[str], docs: Path | None) -> tuple[list[Figure], list[str]]:
    """Run parts one after the other and show their figures; all figures, and the parts that failed."""
    figures, failed = [], []
    for part in parts:
        say(f"-- {part}")
        began, how = time.monotonic(), "done"
        try:
            for figure in run(part, docs):
                show(figure)
                figures.append(figure)
        except RuntimeError as error:
            how = f"failed, see above ({error})"
            failed.append(part)
        say(f"-- {part}: {how}, {time.monotonic() - began:.0f} s")
    return figures, failed


def write_tables(figures: Sequence[Figure], docs: Path, circumstances: str) -> None:
    """Put figures into the documents, beside older ones that were not measured anew, and say where it was."""
    kept = docs / "performance" / "figures.jsonl"
    older = [Figure.from_json(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    by_name = {figure.name: figure for figure in (*older, *figures)}
    kept.write_text("".join(f"{figure.to_json()}\n" for figure in by_name.values()))
    telling = [target for target in TARGETS if target.name in TELLING]
    for path, targets in ((docs / "performance.md", TARGETS), (docs.parent / "README.md", telling)):
        content = f"{table(by_name.values(), targets)}\n\n{circumstances}"
        path.write_text(put_between(path.read_text(), MARK, content))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all unless named")
    parser.add_argument("--docs", type=Path, help="the folder of performance.md")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    parts, load = asked.parts or PARTS, os.getloadavg()[0]
    figures, failed = run_all(parts, asked.docs)
    if asked.docs:
        circumstances = f"{machine()}; load by others before the last run ({', '.join(parts)}): {load:.1f}."
        write_tables(figures, asked.docs, circumstances)
    if failed:
        say(f"failed: {', '.join(failed)}")
        sys.exit(1)


if __name__ == "__main__":
    main()
