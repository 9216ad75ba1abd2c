"""Whether an event costs the same however many users, items and past events there are.

    .venv/bin/python -m tests.benchmark.scaling [--axes users items history] [--plots docs/performance]

Microseconds of processor time for an event, from its bytes to the bytes of its update and through learning, on one
thread. No broker, and nothing that is waited for, so that other work on the machine hardly shows. A figure's peer is
the smallest size of its axis in the same run. The measured events fall on all users and items; windows hold 50 events,
but on the axis of history.
"""

import argparse
import time
from collections.abc import Sequence
from itertools import islice

from models.device import runtime
from stream.flow.engine import Engine
from stream.settings import Settings
from tests.benchmark import pictures
from tests.benchmark.figures import Figure, say, show
from tests.benchmark.population import lived, multiplied, settle
from tests.benchmark.profile_event import drain
from tests.benchmark.shop import Shop

COMMAND = ".venv/bin/python -m tests.benchmark.scaling"
AXES = {"users": (10_000, 100_000, 1_000_000), "items": (10_000, 100_000, 1_000_000), "history": (10, 100, 1_000)}
ELSEWHERE = {"users": 20_000, "items": 10_000, "history": 50}  # where another axis is looked at
LIVED = Shop(users=200, items=10_000)  # users whose events are lived through; the others are copies of them
WARM_UP, MEASURED = 5_120, 40_960  # events; one learning batch of some 20 is ranked, which costs much


def cost_us(settings: Settings, *, users: int, items: int, history: int) -> float:
    """Microseconds of the processor for an event."""
    settings = settings.model_copy(update={"max_items": max(items, settings.max_items)})
    now_ms = int(time.time() * 1000)
    state = lived(settings, LIVED, history, now_ms - LIVED.users * history)
    engine = Engine(settings)
    engine.compile()
    engine.begin(1)
    settle(engine, multiplied(state, users), items)
    records = Shop(users, items, seed=1).records(WARM_UP + MEASURED, now_ms)
    drain(engine, settings, list(islice(records, WARM_UP)))
    measured = list(records)
    began_s = time.process_time()
    drain(engine, settings, measured)
    spent_s = time.process_time() - began_s
    assert engine.recompiles == 0, "something was compiled while it was measured"
    return 1e6 * spent_s / MEASURED


def costs(settings: Settings, axis: str) -> list[float]:
    """Of the sizes of an axis."""
    measured = []
    for size in AXES[axis]:
        measured.append(cost_us(settings, **ELSEWHERE | {axis: size}))
        say(f"{size:,} {axis}: {measured[-1]:.1f} us")
    return measured


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
    runtime.configure(preallocate=False, compilation_cache=settings.compilation_cache)
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
