"""Throughput by batch size: of learning steps, and of micro-batches without learning.

    .venv/bin/python -m tests.benchmark.batch_sizes [--plots docs/performance]

Events a second of one core, from bytes to bytes, by processor time: no broker. A figure's peer is the default size in
the same run. Larger learning batches learn less from as many events (README, Settings).
"""

import argparse
import time
from collections.abc import Sequence
from itertools import islice

from stream.flow.engine import Engine
from stream.settings import Settings
from tests.benchmark import pictures
from tests.benchmark.figures import Figure, say, show
from tests.benchmark.process import set_up_as_worker
from tests.benchmark.profile_event import drain, fetches
from tests.benchmark.shop import Shop

COMMAND = ".venv/bin/python -m tests.benchmark.batch_sizes"
SIZES = (64, 256, 1_024, 4_096)
SIDES = {"learning": "learn_batch_size", "no_learning": "micro_batch_size"}
LABELS = {"learning": "learning, by learning batch", "no_learning": "not learning, by micro-batch"}
SHOP = Shop(users=20_000, items=20_000)
WARM_UP, MEASURED = 20_480, 20_480  # events


def rate_of(settings: Settings) -> float:
    """Events a second of one core."""
    engine = Engine(settings)
    engine.compile()
    engine.begin(1)
    records = SHOP.records(WARM_UP + MEASURED, int(time.time() * 1000))
    warm_up, measured = fetches(islice(records, WARM_UP), settings), fetches(records, settings)
    drain(engine, settings, warm_up)
    began_s = time.process_time()
    drain(engine, settings, measured)
    return MEASURED / (time.process_time() - began_s)


def figures(side: str, rates: Sequence[float]) -> list[Figure]:
    """Every size beside the default one."""
    default = Settings.model_fields[SIDES[side]].default
    by_size = dict(zip(SIZES, rates, strict=True))
    return [
        Figure(
            f"{side}_batch_{size}",
            round(rate),
            "events/s of a core",
            COMMAND,
            round(by_size[default]),
            f"the default of {default}, same run",
        )
        for size, rate in by_size.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    pictures.add_option(parser)
    asked = parser.parse_args()
    settings = Settings.load()
    set_up_as_worker(settings)
    by_side: dict[str, list[float]] = {side: [] for side in SIDES}
    for side, rates in by_side.items():
        for size in SIZES:
            own = {SIDES[side]: size, "learning": side == "learning"}
            rates.append(rate_of(settings.model_copy(update=own)))
            say(f"{side}, {size:,}: {rates[-1]:,.0f} a second")
        for figure in figures(side, rates):
            show(figure)
    if asked.plots:
        title = "events/s of one core, from bytes to bytes"
        with pictures.picture(asked.plots / "batch-size.png", title, "events of a batch") as axes:
            for side, rates in by_side.items():
                axes.plot(SIZES, rates, marker="o", label=LABELS[side])
            axes.set_xscale("log")
            axes.set_xticks(SIZES, [f"{size:,}" for size in SIZES])


if __name__ == "__main__":
    main()
