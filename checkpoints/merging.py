"""A chain of segments becomes one that holds everything: here, or in a process of its own that makes way for others.

    python -m checkpoints.merging DIRECTORY DRAFT NUMBER SEGMENT...

A thread that merges takes the interpreter for 5 ms at a time from an event loop that asks for it many times in a
micro-batch: for the two seconds that it lasted, updates took 200 to 340 ms.
"""

import argparse
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checkpoints.changes import State, apply, flattened, unflattened
from checkpoints.segments import CorruptSegmentError, Segments

COMMAND = ("nice", "-n", "19", sys.executable, "-P", "-m", "checkpoints.merging")  # -P: data may lie in ./checkpoints
ENVIRONMENT = {"JAX_PLATFORMS": "cpu"}  # or Orbax's jax would take a GPU's memory


def state_of(segments: Segments, chain: Sequence[int]) -> State:
    """What the segments of a chain say together.

    Raises:
        CorruptSegmentError: one of them cannot be read.
    """
    state: State = {}
    for number in chain:
        apply(state, unflattened(segments.arrays(number)))
    return state


def merge_here(segments: Segments, chain: Sequence[int], number: int, draft: Path) -> None:
    """Fill the draft of segment `number` with all that `chain` says. Blocks for seconds.

    Raises:
        CorruptSegmentError: the chain cannot be read.
        OSError: the disk refuses.
    """
    whole = {name: _Whole(values) for name, values in state_of(segments, chain).items()}
    segments.fill(draft, flattened([whole]), {**segments.about(chain[-1]), "chain": [number]})


def merge_apart(segments: Segments, chain: Sequence[int], number: int, draft: Path) -> None:
    """`merge_here` in another process, which ends with this one.

    Raises:
        OSError: it could not be done; the sentence says why.
    """
    command = [*COMMAND, *map(str, (segments.directory, draft, number, *chain))]
    environment = {**os.environ, **ENVIRONMENT}
    with subprocess.Popen(  # noqa: S603 - our own command line
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    ) as process:
        said = process.stdout.read() if process.stdout else b""
        process.wait()  # here, since leaving the context first closes its input, by which it knows that we live
    if process.returncode:
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        raise OSError(f"merging ended with {process.returncode}: {last[0] if last else 'it said nothing'}")


@dataclass(frozen=True)
class _Whole:
    """All of an array or list."""

    values: Any
    rows: None = None
    length: int = 0


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing is ever sent
    os._exit(1)


def main() -> None:
    """The other process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("draft", type=Path)
    parser.add_argument("number", type=int)
    parser.add_argument("chain", type=int, nargs="+")
    asked = parser.parse_args()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        merge_here(Segments(asked.directory), asked.chain, asked.number, asked.draft)
    except (OSError, CorruptSegmentError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
