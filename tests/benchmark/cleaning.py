"""What cleaning brings where events are noisy: recall on the simulated shop with noise put in, with and without it.

    python -m tests.benchmark.cleaning [--events N] [--seed N]

Bots: 4 users click random items, 100 clicks each in a row within seconds, until they are half of all events; figures
are of the others. Values: a third of the clicks is followed by a slip to a random item, which is left after a second;
the dwell that tells slips apart is 1,000 times too large for one click in ten, and multiplied by noise for all.
"""

import argparse
import random
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from models.device.runtime import configure
from models.quality.predictions import figures
from stream.demo.simulator import ShopConfig, SimulatedShop
from stream.evaluation.prequential import Evaluation, EvaluationPlan
from stream.evaluation.sources import Stretch
from stream.records.events import Click, Event
from stream.settings import Settings
from tests.benchmark.figures import say

START_MS, EVERY_MS = 1_700_000_000_000, 2_000
BOT = "bot"
BURST, NUM_BOTS = 100, 4

BOTS: dict[str, dict[str, Any]] = {"as they are": {}, "at most 30 a minute": {"max_events_per_minute": 30}}
VALUES: dict[str, dict[str, Any]] = {
    "as they are": {},
    "outliers pulled in": {"value_outlier_deviations": 3.0},
    "quantiles": {"value_quantiles": True},
    "median filter": {"value_filter": "median"},
    "low-pass filter": {"value_filter": "low_pass"},
}


def with_bots(shop: SimulatedShop, events: int, noise: random.Random) -> Iterator[Event]:
    """The shop's events, and a burst of a bot after every hundredth."""
    for number in range(events):
        time_ms = START_MS + EVERY_MS * number
        yield shop.event_at(time_ms)
        if number % BURST == BURST - 1:
            bot = f"{BOT}{noise.randrange(NUM_BOTS)}"
            yield from (Click(bot, noise.choice(shop.items), time_ms + 10 * n) for n in range(BURST))


def with_slips(shop: SimulatedShop, events: int, noise: random.Random, *, has_values: bool) -> Iterator[Event]:
    """The shop's events with slips between, and values that hardly tell them apart."""
    for number in range(events):
        event = shop.event_at(START_MS + EVERY_MS * number)
        if isinstance(event, Click):
            event.value = _measured(20.0, noise) if has_values else None
        yield event
        if isinstance(event, Click) and noise.random() < 1 / 3:
            value = _measured(1.0, noise) if has_values else None
            yield Click(event.user_id, noise.choice(shop.items), event.time_ms + 1, value=value)


def without_slips(shop: SimulatedShop, events: int) -> Iterator[Event]:
    """The shop as it is, without values."""
    for number in range(events):
        event = shop.event_at(START_MS + EVERY_MS * number)
        if isinstance(event, Click):
            event.value = None
        yield event


def _measured(dwell_s: float, noise: random.Random) -> float:
    return dwell_s * noise.lognormvariate(0.0, 0.5) * (1_000 if noise.random() < 0.1 else 1)


def recalls(events: Iterable[Event], changes: dict[str, Any], seed: int) -> str:
    """Recall@20 of clicks and purchases of those who are no bots, after the first quarter."""
    settings = Settings.load(seed=seed, max_items=20_000, **changes)
    evaluation = Evaluation(settings, settings.learner(), EvaluationPlan("event", 0.5))
    evaluation.start()
    judged = evaluation.judge(Stretch(0, events, is_judged=True))
    bots = [number for name, number in evaluation.census.numbers_of_users() if name.startswith(BOT)]
    is_ours = ~np.isin(judged["user"], bots) & (judged["position"] > evaluation.census.num_events / 4)
    of_all = figures(judged[is_ours])
    floods = sum(entry.floods for entry in evaluation.engine.updater.ledger.values())
    shown = ", ".join(f"{ranker} {of_all[ranker]['recall@20']:.3f}" for ranker in ("mixture", "vector", "counting"))
    return f"{shown} ({int(is_ours.sum()):,} predictions, {floods:,} floods)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    configure(preallocate=False, compilation_cache=Settings.load().compilation_cache)

    def shop() -> SimulatedShop:
        return SimulatedShop(ShopConfig(seed=args.seed))

    say("recall@20")
    print("no noise:", recalls(without_slips(shop(), args.events), {}, args.seed), flush=True)
    for name, changes in BOTS.items():
        events = with_bots(shop(), args.events, random.Random(args.seed))
        print(f"bots, {name}:", recalls(events, changes, args.seed), flush=True)
    slips = with_slips(shop(), args.events, random.Random(args.seed), has_values=False)
    print("slips, no values:", recalls(slips, {}, args.seed), flush=True)
    for name, changes in VALUES.items():
        slips = with_slips(shop(), args.events, random.Random(args.seed), has_values=True)
        print(f"slips, values {name}:", recalls(slips, changes, args.seed), flush=True)


if __name__ == "__main__":
    main()
