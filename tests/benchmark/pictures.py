"""Small pictures of measurements, as PNG."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def add_option(parser: argparse.ArgumentParser) -> None:
    """`--plots FOLDER`."""
    parser.add_argument("--plots", type=Path, help="a folder for the picture of these figures")


@contextmanager
def picture(path: Path) -> Iterator[Axes]:
    """Axes to draw on; written to `path` at the end."""
    figure = Figure(figsize=(6, 3.6), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    yield axes
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
