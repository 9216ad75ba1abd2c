"""Whether an event costs the same however many users, items and past events there are.

    .venv/bin/python -m tests.benchmark.scaling [--axes users items history] [--plots docs/performance]

Microseconds of processor time for an event, from its bytes to the bytes of its update and through learning, on one
thread. No broker, and nothing that is waited for. The sizes of an axis are measured in turns, since a machine is faster
in one minute than in the next. A figure's peer is the smallest size of its axis. The measured events fall on all users
and items; windows hold 50 events, but on the axis of history.
"""

import argparse
import time
from collections.abc import Sequence
from itertools import islice

import numpy as np

from stream.flow.engine import Engine
from stream.settings import Settings
from tests.benchmark import pictures
from tests.benchmark.figures import Figure, say, show
from tests.benchmark.population import lived, multiplied, settle
from tests.benchmark.process import set_up_as_worker
from tests.benchmark.profile_event import drain, fetches
from tests.benchmark.shop import Shop

COMMAND = ".venv/bin/python -m tests.benchmark.scaling"
AXES = {"users": (10_000, 100_000, 1_000_000), "items": (10_000, 100_000, 1_000_000), "history": (10, 100, 1_000)}
ELSEWHERE = {"users": 20_000, "items": 10_000, "history": 50}  # where another axis is looked at
LIVED = Shop(users=200, items=10_000)  # users whose events are lived through; the others are copies of them
WARM_UP, TURNS, TURN = 5_120, 15, 1  # events; turns of so many micro-batches, item vectors told once in each


class Cost:
    """What events cost an engine among so many users and items, each user with `history` events."""

    def __init__(self, settings: Settings, *, users: int, items: int, history: int) -> None:
        self._settings = settings.model_copy(update={"max_items": max(items, settings.max_items)})
        now_ms = int(time.time() * 1000)
        state = lived(self._settings, LIVED, history, now_ms - LIVED.users * history)
        self._engine = Engine(self._settings)
        self._engine.compile()
        self._engine.begin(1)
        settle(self._engine, multiplied(state, users), items)
        self._turn = TURN * settings.micro_batch_size
        self._records = Shop(users, items, seed=1).records(WARM_UP + TURNS * self._turn, now_ms)
        self._costs_us = list[float]()
        self._drain(WARM_UP)

    def measure(self) -> None:
        """A turn."""
        self._costs_us.append(1e6 * self._drain(self._turn) / self._turn)

    @property
    def median_us(self) -> float:
        """Microseconds of the processor for an event, the median of the turns."""
        assert self._engine.recompiles == 0, "something was compiled while it was measured"
        return float(np.median(self._costs_us))

    def _drain(self, count: int) -> float:
        """Seconds of the processor for so many events, what the device has yet to compute of them included."""
        micro_batches = fetches(islice(self._records, count), self._settings)
        began_s = time.process_time()
        drain(self._engine, self._settings, micro_batches)
        self._engine.learner.item_vectors(np.ones(1, np.int32))
        return time.process_time() - began_s


def costs(settings: Settings, axis: str) -> list[float]:
    """Of the sizes of an axis."""
    of_size = {size: Cost(settings, **ELSEWHERE | {axis: size}) for size in AXES[axis]}
    for _ in range(TURNS):
        for cost in of_size.values():
            cost.measure()
    for size, cost in of_size.items():
        say(f"{size:,} {axis}: {cost.median_us:.1f} us")
    return [cost.median_us for cost in of_size.values()]


def figures(axis: str, measured: Sequence[float]) -> list[Figure]:
    """The larger sizes beside the smallest."""
    smallest, *larger = AXES[axis]
    peer, peer_name = round(measured[0], 1), f"{smallest:,} {'events of ' * (axis == 'history')}{axis}, same run"
    return [
        Figure(f"cost_{axis}_{size}", round(cost, 1), "us of the processor", COMMAND, peer, peer_name)
        for size, cost in zip(larger, measured[1:], strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--axes", nargs="+", choices=AXES, default=list(AXES))
    pictures.add_option(parser)
    asked = parser.parse_args()
    settings = Settings.load()
    set_up_as_worker(settings)
    by_axis = {}
    for axis in asked.axes:
        by_axis[axis] = costs(settings, axis)
        for figure in figures(axis, by_axis[axis]):
            show(figure)
    if asked.plots:
        below = "users, items, or events of history of each user"
        with pictures.picture(asked.plots / "cost.png", "us of the processor for an event", below) as axes:
            for axis, measured in by_axis.items():
                axes.plot(AXES[axis], measured, marker="o", label=axis)
            axes.set_xscale("log")


if __name__ == "__main__":
    main()
