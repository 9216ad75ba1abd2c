"""Small pictures of measurements, as PNG, in the dress of all our pictures."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib.axes import Axes

from stream.evaluation.plot import blank, dress


def add_option(parser: argparse.ArgumentParser) -> None:
    """`--plots FOLDER`."""
    parser.add_argument("--plots", type=Path, help="a folder for the picture of these figures")


@contextmanager
def picture(path: Path, title: str, below: str, *, from_zero: bool = True) -> Iterator[Axes]:
    """Axes to draw on; written to `path` at the end."""
    figure = blank()
    axes = figure.subplots()
    yield axes
    dress(axes, title, below, from_zero=from_zero)
    axes.legend(fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
