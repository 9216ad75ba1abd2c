"""How soon a change of the whole stream is noticed, and how soon the model is back, with and without a reaction.

    python -m tests.benchmark.drift [--events N] [--changes N] [--seeds N]

The simulated shop changes altogether every `--events` events (what leads where, what is popular, what each user likes);
before the first change and in a run without any it stays as it is. Each alternative is judged on the same events.
"""

import argparse
import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from models.config import ModelConfig
from models.device.runtime import configure
from models.quality.evaluation import RANKERS
from stream.demo.simulator import ShopConfig, SimulatedShop
from stream.evaluation.prequential import Evaluation, EvaluationPlan
from stream.evaluation.sources import Stretch
from stream.records.events import Event
from stream.settings import Settings
from tests.benchmark.figures import say

START_MS, EVERY_MS = 1_700_000_000_000, 2_000
REACTIONS: dict[str, dict[str, Any]] = {
    "without a reaction": {},
    "recent replay 0.5": {"drift_recent_share": 0.5},
    "rates 2": {"drift_rate_factor": 2.0},
    "both": {"drift_recent_share": 0.5, "drift_rate_factor": 2.0},
}
BACK_RATIO = 0.95
WINDOW = 3_000  # events over which recall is taken after a change, and five times as many before
STEP = 500


class Course(NamedTuple):
    """One run.

    Attributes:
        positions: `[n]` of each prediction, in clicks and purchases learned before.
        hits: `[n, rankers]`, whether it was among the first 20.
        changes: positions of the changes.
        alarms: positions of the alarms.
        end: of the run.
    """

    positions: np.ndarray
    hits: np.ndarray
    changes: list[int]
    alarms: list[int]
    end: int


def course(model: ModelConfig, seed: int, events: int, changes: int) -> Course:
    """Run `events` before the first change and after each."""
    shop = SimulatedShop(ShopConfig(seed=seed))
    evaluation = Evaluation(Settings.load(), dataclasses.replace(model, seed=seed), EvaluationPlan("event", 0.5))
    evaluation.start()
    changed: list[int] = []

    def stream() -> Iterator[Event]:
        for number in range(events * (1 + changes)):
            if number and number % events == 0:
                shop.turn_over()
                changed.append(evaluation.census.num_events)
            yield shop.event_at(START_MS + EVERY_MS * number)

    judged = evaluation.judge(Stretch(0, stream(), is_judged=True))
    return Course(judged["position"], judged["ranks"] < 20, changed, evaluation.alarms_at, evaluation.census.num_events)


def recall(course: Course, start: int, end: int, ranker: str) -> float:
    """Recall@20 of the predictions from `start` to `end`."""
    within = (course.positions >= start) & (course.positions < end)
    return float(course.hits[within, RANKERS.index(ranker)].mean())


def events_until_back(course: Course, change: int, ranker: str) -> float:
    """Events after a change until recall is at 95 % of what it was before; nan if the run ends first."""
    wanted = BACK_RATIO * recall(course, change - 5 * WINDOW, change, ranker)
    limit = min([c for c in course.changes if c > change], default=course.end)
    for end in range(change + WINDOW, limit, STEP):
        if recall(course, end - WINDOW, end, ranker) >= wanted:
            return end - change
    return float("nan")


def delays(course: Course) -> tuple[list[float], int]:
    """Events from each change to the first alarm within 10,000, nan where there is none; and alarms of no change."""
    own = [[a - c for a in course.alarms if 0 <= a - c < 10_000] for c in course.changes]
    return [min(found, default=float("nan")) for found in own], len(course.alarms) - sum(map(len, own))


def describe(name: str, runs: list[Course]) -> None:
    """Print what some runs found."""
    found, false = zip(*map(delays, runs), strict=True)
    num_events = sum(run.end for run in runs)
    print(f"{name}: alarm after {np.array(found).ravel().tolist()} events, {sum(false)} false in {num_events:,}")
    for ranker in ("mixture", "vector"):
        back = [events_until_back(run, change, ranker) for run in runs for change in run.changes]
        dips = [recall(run, c, c + 10_000, ranker) for run in runs for c in run.changes]
        befores = [recall(run, c - 5 * WINDOW, c, ranker) for run in runs for c in run.changes]
        if back:
            print(
                f"  {ranker}: recall@20 before {np.mean(befores):.3f}, in the 10,000 events after {np.mean(dips):.3f}; "
                f"95 % back after {np.mean(back):,.0f} events {back}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=40_000, help="before the first change, and after each")
    parser.add_argument("--changes", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()
    configure(preallocate=False, compilation_cache=Settings.load().compilation_cache)
    off: dict[str, Any] = {"drift_rate_factor": 1.0, "drift_recent_share": 0.0}
    base = ModelConfig(max_items=20_000)
    for name, reaction in REACTIONS.items():
        say(name)
        model = dataclasses.replace(base, **{**off, **reaction})
        describe(name, [course(model, seed, args.events, args.changes) for seed in range(args.seeds)])


if __name__ == "__main__":
    main()
