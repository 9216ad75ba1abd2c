"""How well vectors predict that were made by weights of some time ago.

    python -m tests.benchmark.staleness [FOLDER] [--sample RATIO] [--seed N] [--out PNG]

FOLDER holds period files as `interest-stream evaluate --protocol periods` takes; a period's clicks are spread evenly
over a week, and week 2 is judged. Without it, it is the simulated shop at 40 events a minute, whose users drift and
which takes in a new item every 400 events; the 3 hours after two days are judged. All ages are judged on the same
predictions: of every item seen by then, also those that the old weights have never met. Windows and counts are always
the newest, as where events are read at once and weights arrive late. As old as said, or at the most a fourth older, is:

- mixture: network, item vectors and gate;
- vectors: interests and item vectors, so that a new item stands where it was before it was learned;
- interests: only these, item vectors are of now: what a store serves of a user whose update came so long ago.

Learning steps are of 256 events, so that weights of now are up to so many events old.
"""

import argparse
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import numpy as np

from models.config import ModelConfig
from models.device.runtime import configure
from models.inputs.features import Examples
from models.quality.evaluation import RANKERS
from models.quality.predictions import gains
from models.serving.reader import Reader
from stream.demo.simulator import ShopConfig, SimulatedShop
from stream.evaluation.plot import blank, dress
from stream.evaluation.prequential import Evaluation, EvaluationPlan
from stream.evaluation.sources import WEEK_MS, Stretch, period_stretches
from stream.records.events import Event
from stream.settings import Settings

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
AGES = {"now": 0, "1 min": MINUTE_MS, "10 min": 10 * MINUTE_MS, "1 h": HOUR_MS, "6 h": 6 * HOUR_MS, "1 day": DAY_MS}
AGES_IN_FOLDER = {**AGES, "1 week": WEEK_MS}
SERVED = {"mixture": RANKERS.index("mixture"), "vectors": RANKERS.index("vector"), "interests": len(RANKERS)}
NEWER = 3  # copies beyond the one that is old enough now: events are judged up to two learning steps after they came
START_MS, EVERY_MS = 1_700_000_000_000, 1_500

Table = dict[str, dict[str, tuple[float, float]]]


class Past:
    """Readers of the weights of about so long ago."""

    def __init__(self, age_ms: int) -> None:
        self._age_ms = age_ms
        self._between_ms = age_ms // 4
        self._kept: deque[tuple[int, Reader]] = deque()

    def wants(self, now_ms: int) -> bool:
        """Whether the last copy is old enough for another."""
        return not self._kept or now_ms - self._kept[-1][0] >= self._between_ms

    def keep(self, copy: Reader, now_ms: int) -> None:
        """Take a copy, let go of those that will not be needed."""
        self._kept.append((now_ms, copy))
        while len(self._kept) > NEWER and self._kept[NEWER][0] <= now_ms - self._age_ms - self._between_ms:
            self._kept.popleft()

    def at(self, time_ms: int) -> Reader:
        """The youngest copy that was old enough at a time."""
        return next(copy for kept_ms, copy in reversed(self._kept) if kept_ms <= time_ms - self._age_ms)


class Staleness:
    """Judges a stream by weights of all ages.

    Attributes:
        ranks: of what was judged, `[n, rankers + 1]` a batch, by age; the last is of old interests.
    """

    def __init__(self, model: ModelConfig, ages: dict[str, int], sample: float) -> None:
        settings = Settings.load(max_items=model.max_items)
        self._evaluation = Evaluation(settings, model, EvaluationPlan("event", sample), self._judge)
        self._learner = self._evaluation.engine.learner
        self._pasts = {name: Past(age_ms) for name, age_ms in ages.items() if age_ms}
        self._step = -1
        self.ranks: dict[str, list[np.ndarray]] = {name: [] for name in ages}

    def run(self, stretches: Iterable[Stretch]) -> None:
        """Go through a stream."""
        self._evaluation.start()
        for stretch in stretches:
            self._evaluation.judge(Stretch(stretch.number, self._noted(stretch.events), stretch.is_judged))

    def _noted(self, events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            if self._learner.model_step != self._step:
                self._step = self._learner.model_step
                wanting = [past for past in self._pasts.values() if past.wants(event.time_ms)]
                if wanting:
                    copy = self._learner.as_of_now()
                    for past in wanting:
                        past.keep(copy, event.time_ms)
            yield event

    def _judge(self, examples: Examples, rows: np.ndarray) -> None:
        if not len(rows):
            return
        slots = np.flatnonzero(self._learner.ranker.is_seen)
        vectors = self._learner.item_vectors(slots)
        own = np.searchsorted(slots, examples.targets)[:, None]
        for name, parts in self.ranks.items():
            served = self._pasts[name].at(int(rows["time_ms"][0])) if name in self._pasts else self._learner
            cosines = served.encode(examples.windows) @ vectors.T
            by_interest = (cosines >= np.take_along_axis(cosines, own, 1)).sum(1) - 1
            parts.append(np.column_stack([served.ranker.rank(examples), by_interest]))


def shop_stretches(seed: int) -> Iterator[Stretch]:
    """Two days that are only learned, and what is judged after them."""
    shop = SimulatedShop(ShopConfig(seed=seed))
    middle_ms = START_MS + 2 * DAY_MS
    yield Stretch(0, shop.events(range(START_MS, middle_ms, EVERY_MS)), is_judged=False)
    yield Stretch(1, shop.events(range(middle_ms, middle_ms + 3 * HOUR_MS, EVERY_MS)), is_judged=True)


def folder_stretches(folder: Path) -> Iterator[Stretch]:
    """The first three periods, the last of which is judged."""
    for period in period_stretches(folder, 2):
        events = list(period.events)
        spread = [START_MS + WEEK_MS * period.number + WEEK_MS * at // len(events) for at in range(len(events))]
        timed = (msgspec.structs.replace(event, time_ms=at_ms) for event, at_ms in zip(events, spread, strict=True))
        yield Stretch(period.number, timed, is_judged=period.number == 2)


def figures_of(ranks: np.ndarray) -> tuple[float, float]:
    """Recall@20 and MRR@20 of `[n]` ranks."""
    gain = gains(ranks)
    return float(gain["recall@20"].mean()), float(gain["mrr@20"].mean())


def draw(table: Table, counting: tuple[float, float], path: Path) -> None:
    """Recall and MRR over the age of the weights."""
    picture = blank()
    for at, (axes, title) in enumerate(zip(picture.subplots(1, 2), ("recall@20", "MRR@20"), strict=True)):
        for served, by_age in table.items():
            axes.plot(list(by_age), [both[at] for both in by_age.values()], label=served, marker="o", linewidth=1.4)
        axes.axhline(counting[at], label="counting, newest", color="grey", linestyle="--", linewidth=1)
        dress(axes, title, "age of the weights")
    axes.legend(fontsize=8, frameon=False)
    picture.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--sample", type=float, default=1.0, help="share judged")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="draw it there")
    args = parser.parse_args()
    configure(preallocate=False, compilation_cache=Settings.load().compilation_cache)
    model = ModelConfig(max_items=40_000 if args.folder else 20_000, seed=args.seed)
    staleness = Staleness(model, AGES_IN_FOLDER if args.folder else AGES, args.sample)
    staleness.run(folder_stretches(args.folder) if args.folder else shop_stretches(args.seed))
    ranks = {age: np.concatenate(parts) for age, parts in staleness.ranks.items()}
    table = {
        served: {age: figures_of(whole[:, column]) for age, whole in ranks.items()} for served, column in SERVED.items()
    }
    counting = figures_of(ranks["now"][:, RANKERS.index("counting")])
    print(f"{len(ranks['now']):,} predictions; recall@20 / MRR@20; counting {counting[0]:.3f} / {counting[1]:.3f}")
    print("| age of the weights | " + " | ".join(table) + " |\n" + "|---" * (1 + len(table)) + "|")
    for age in ranks:
        cells = (f"{recall:.3f} / {mrr:.3f}" for recall, mrr in (by_age[age] for by_age in table.values()))
        print(f"| {age} | " + " | ".join(cells) + " |")
    if args.out:
        draw(table, counting, args.out)


if __name__ == "__main__":
    main()
