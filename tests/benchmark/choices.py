"""What each choice of encoder, loss, optimiser and regularisation brings, and what it costs, beside the defaults.

    python -m tests.benchmark.choices FOLDER [--sample RATIO] [--groups encoder,loss,...] [--seeds N]

Each row is one `interest-stream evaluate` over the first test period of a folder of period files. The defaults run with
N seeds and show their mean ± half the range; the other rows are one seed. Cost is processor time an event,
start and compilation included, as a ratio to that of the defaults. A choice that is refused has the reason in its row.
"""

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GROUPS: dict[str, tuple[str, ...]] = {
    "encoder": ("encoder=gru", "encoder=lstm", "encoder=convolution", "encoder=average", "head=variational"),
    "loss": ("loss=full_softmax", "loss=binary_cross_entropy", "loss=squared_error"),
    "optimiser": ("optimiser=adamw", "optimiser=adagrad", "optimiser=sgd"),
    "schedule": ("schedule=warmup", "schedule=cosine", "schedule=inverse_sqrt"),
    "penalty": ("l1=1e-6", "l2=1e-6", "dropout=0", "dropout=0.4"),
    "augmentation": ("crop=0.2", "mask=0.2", "reorder=0.2", "substitute=0.2"),
}
FIGURES = (("mixture", "recall@20"), ("mixture", "mrr@20"), ("vector", "recall@20"), ("vector", "mrr@20"))
COMMAND = (str(Path(sys.executable).with_name("interest-stream")), "evaluate")


def processor_seconds() -> float:
    """User and system time of all commands that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class RefusedError(Exception):
    """A run that ended with an error, which the message is."""


def measured(folder: str, sample: float, seed: int, choice: str = "", command: Sequence[str] = COMMAND) -> list[float]:
    """The FIGURES in percent, then processor seconds an event, of one run of `command`, which takes evaluate's options.

    Raises:
        RefusedError: the command did not take the choice, or failed.
    """
    options = ["--protocol", "periods", "--periods", "1", "--sample", str(sample), "--seed", str(seed), "--json"]
    before = processor_seconds()
    run = subprocess.run(
        [*command, folder, *options, *(f"--{setting}" for setting in choice.split())],
        check=False,
        capture_output=True,
        text=True,
    )
    if run.returncode:
        raise RefusedError(run.stderr.strip().splitlines()[-1] if run.stderr.strip() else f"exit code {run.returncode}")
    report: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    cost = (processor_seconds() - before) / report["events"]
    return [100 * report[ranker][figure] for ranker, figure in FIGURES] + [cost]


def row(name: str, cells: list[str]) -> None:
    """Print a line of the table at once."""
    print("| " + " | ".join([name, *cells]) + " |", flush=True)


def main() -> None:
    """Print the table, a row as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--sample", type=float, default=0.3)
    parser.add_argument("--groups", default=",".join(GROUPS))
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    row("", [f"{ranker} {figure}" for ranker, figure in FIGURES] + ["cost"])
    row("---", ["---"] * (len(FIGURES) + 1))
    columns = list(
        zip(*(measured(arguments.folder, arguments.sample, seed) for seed in range(arguments.seeds)), strict=True)
    )
    means = [sum(column) / len(column) for column in columns]
    spreads = [max(column) - min(column) for column in columns[:-1]]
    row("defaults", [f"{mean:.1f} ± {spread / 2:.1f}" for mean, spread in zip(means, spreads, strict=False)] + ["1.00"])
    for choice in (choice for group in arguments.groups.split(",") for choice in GROUPS[group]):
        try:
            *figures, cost = measured(arguments.folder, arguments.sample, 0, choice)
        except RefusedError as refused:
            row(f"`{choice}`", [f"refused: {refused}", *[""] * len(FIGURES)])
            continue
        row(f"`{choice}`", [f"{figure:.1f}" for figure in figures] + [f"{cost / means[-1]:.2f}"])


if __name__ == "__main__":
    main()
