"""Encode windows anew, or keep a carry for each user and advance it by the new event? Accuracy against cost, plotted.

    .venv/bin/python -m tests.benchmark.carry FOLDER [--sample 0.3] [--plots docs/performance]

Recall and MRR are over the first test period of a folder of period files. Costs are the processor's, of encoding and
learning an event of shop users who make 5 events, and of such who make 200, beside the default window's. A carry is
judged by what it could be at best, without having been built:

- its accuracy is that of a window of the default length whose gradient stops before the newest event, so that a step
  learns from no more than it would with a carry (truncated back-propagation), while the carry itself is never stale;
- its cost is that of a window of one event; to read and write carries would come on top.
"""

import argparse
import sys
from pathlib import Path
from unittest.mock import patch

import jax
import jax.numpy as jnp

from models.config import ModelConfig
from models.device import runtime
from models.inputs.layout import Layout
from models.network.encoders.linear import LinearEncoder
from models.network.network import InterestNetwork
from stream.settings import Settings
from tests.benchmark import pictures
from tests.benchmark.choices import FIGURES, measured, row
from tests.benchmark.learning_speed import Ours, rate_of, sessions_of

LENGTHS = (1, 2, 4, 8, 12, 24)
AS_A_CARRY = "a carry, at best"
DEFAULT = ModelConfig().encoder_window
SESSIONS = {5: 5_120, 200: 128}  # length and how many
TURNS = 3
stop = jax.lax.stop_gradient
encoded_anew, mean_anew = LinearEncoder.__call__, InterestNetwork._carried


def as_a_carry(encoder: LinearEncoder, inputs: jax.Array, layout: Layout) -> jax.Array:
    """`LinearEncoder`, with all events but the newest as given: `[batch, width]`."""
    older = layout._replace(at=jnp.asarray(layout.at).at[:, -1].set(len(layout.places)))
    before = stop(encoded_anew(encoder, inputs, older)[:, : inputs.shape[1]])
    newest = layout.newest(inputs)
    gate, candidate = jnp.split(encoder.project(newest), 2, axis=-1)
    is_event = layout.is_event[:, -1:]
    share = jnp.where(is_event, jax.nn.sigmoid(gate), 0.0)
    return jnp.concatenate([(1 - share) * before + share * candidate, newest], axis=-1)


def mean_as_a_carry(network: InterestNetwork, inputs: jax.Array, layout: Layout) -> jax.Array:
    """The mean of the window, with all events but the newest as given: `[batch, dim]`."""
    is_newest = jnp.zeros(len(inputs), bool).at[layout.at[:, -1]].set(True, mode="drop")
    return mean_anew(network, jnp.where(is_newest[:, None], inputs, stop(inputs)), layout)


def evaluate_a_carry(options: list[str]) -> None:
    """`interest-stream evaluate` with those two."""
    from stream.cli.evaluate import evaluate  # noqa: PLC0415 - only here

    with (
        patch.object(LinearEncoder, "__call__", as_a_carry),
        patch.object(InterestNetwork, "_carried", mean_as_a_carry),
    ):
        evaluate(options)


def costs() -> dict[str, list[float]]:
    """Of each length of a window, beside the default's, for sessions of 5 and of 200 events."""
    runtime.configure(preallocate=False, compilation_cache=Settings.load().compilation_cache)
    rates: dict[int, list[float]] = {length: [] for length in LENGTHS}
    for events, count in SESSIONS.items():
        for length in LENGTHS:
            ours = Ours(ModelConfig(encoder_window=length), sessions_of(count, events))
            ours.learn(with_predictions=True)
            rates[length].append(max(rate_of(lambda: ours.learn(with_predictions=True)) for _ in range(TURNS)))  # noqa: B023
    return {
        str(length): [default / rate for rate, default in zip(some, rates[DEFAULT], strict=True)]
        for length, some in rates.items()
    }


def accuracies(folder: str, sample: float) -> dict[str, list[float]]:
    """FIGURES in percent, by what was measured."""
    found = {str(length): measured(folder, sample, 0, f"set=encoder_window={length}") for length in LENGTHS}
    found[AS_A_CARRY] = measured(folder, sample, 0, command=[sys.executable, "-m", "tests.benchmark.carry", "--one"])
    return {name: figures[: len(FIGURES)] for name, figures in found.items()}


def show(found: dict[str, list[float]]) -> None:
    """The table."""
    columns = [f"{ranker} {figure}" for ranker, figure in FIGURES]
    row("", [*columns, *(f"cost, sessions of {events}" for events in SESSIONS)])
    row("---", ["---"] * (len(columns) + len(SESSIONS)))
    for name, figures in found.items():
        label = name if name == AS_A_CARRY else f"`encoder_window={name}`"
        cells = [f"{figure:.1f}" for figure in figures[: len(FIGURES)]]
        row(label, [*cells, *(f"{cost:.2f}" for cost in figures[len(FIGURES) :])])


def draw(found: dict[str, list[float]], folder: Path) -> None:
    """Recall of mixture and vectors over cost."""
    title = "windows encoded anew, by length, and a carry at its best"
    below = "processor time beside the default's, users of 200 events"
    cost_at = len(FIGURES) + 1
    with pictures.picture(folder / "carry.png", title, below, from_zero=False) as axes:
        for at, ranker in ((0, "mixture"), (2, "vectors")):
            where = [found[str(length)][cost_at] for length in LENGTHS]
            recalls = [found[str(length)][at] for length in LENGTHS]
            (line,) = axes.plot(where, recalls, marker="o", label=f"{ranker}, encoded anew")
            carry = found[AS_A_CARRY]
            axes.plot(
                [carry[cost_at]], [carry[at]], "*", markersize=12, color=line.get_color(), label=f"{ranker}, a carry"
            )
            for length, cost, recall in zip(LENGTHS, where, recalls, strict=True):
                axes.annotate(str(length), (cost, recall), textcoords="offset points", xytext=(5, -12))
        axes.set(ylabel="recall@20, percent")


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        evaluate_a_carry(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--sample", type=float, default=0.3)
    pictures.add_option(parser)
    asked = parser.parse_args()
    of_length = costs()
    of_length[AS_A_CARRY] = of_length["1"]
    found = {name: figures + of_length[name] for name, figures in accuracies(asked.folder, asked.sample).items()}
    show(found)
    if asked.plots:
        draw(found, asked.plots)


if __name__ == "__main__":
    main()
