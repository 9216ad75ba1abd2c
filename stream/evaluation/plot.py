"""Figures over stream time as a picture. Needs matplotlib, which is asked for only when a picture is wanted."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from models.quality.evaluation import RANKERS
from models.quality.predictions import gains
from stream.errors import ConfigError

MOST_POINTS = 60
LEAST_PREDICTIONS = 200  # of a point: its recall is then known to about 0.035
SHOWN = ("recall@20", "mrr@20")


def require_matplotlib() -> None:
    """Raise where pictures cannot be drawn.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError("--out draws a picture and found no matplotlib: pip install 'interest-stream[plots]'")


def over_stream(predictions: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Figures of successive equal numbers of predictions.

    Args:
        predictions: `[n]` of `PREDICTION`, in stream order.

    Returns:
        `[points]` float64, the mean position of each; and `[points, rankers]` by figure.
    """
    num_points = int(np.clip(len(predictions) // LEAST_PREDICTIONS, 1, MOST_POINTS))
    cuts = np.array_split(np.arange(len(predictions)), num_points)
    positions = np.array([predictions["position"][cut].mean() for cut in cuts])
    by_ranker = [gains(predictions["ranks"][:, ranker]) for ranker in range(len(RANKERS))]
    return positions, {
        name: np.array([[gain[name][cut].mean() for gain in by_ranker] for cut in cuts]) for name in SHOWN
    }


def plot_over_stream(predictions: np.ndarray, alarms_at: list[int], path: Path) -> None:
    """Draw recall and MRR of all rankers over the stream, and drift alarms as vertical lines."""
    if not len(predictions):
        return
    positions, by_name = over_stream(predictions)
    picture = blank()
    for axes, name in zip(picture.subplots(1, len(SHOWN)), SHOWN, strict=True):
        for ranker, values in zip(RANKERS, by_name[name].T, strict=True):
            axes.plot(positions, values, label=ranker, marker="o" if len(positions) < 4 else "", linewidth=1.4)
        alarms = [at for at in alarms_at if positions[0] <= at]
        if alarms:
            whole_height = axes.get_xaxis_transform()
            axes.vlines(alarms, 0, 1, "black", ":", label="drift alarm", linewidth=1, transform=whole_height)
        dress(axes, name.replace("mrr", "MRR"), "clicks and purchases learned before")
        axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(fontsize=8, frameon=False)
    picture.savefig(path)


def blank() -> Any:
    """A matplotlib figure of the size that all have."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    picture = Figure(figsize=(9, 3.6), dpi=90, layout="constrained")
    FigureCanvasAgg(picture)
    return picture


def dress(axes: Any, title: str, below: str, *, from_zero: bool = True) -> None:
    """What all axes look like."""
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel(below)
    if from_zero and axes.get_yscale() == "linear":
        axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
