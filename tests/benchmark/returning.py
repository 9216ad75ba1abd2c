"""Whether the model still knows what users like who come back after a long pause, with replay and without.

    python -m tests.benchmark.returning [FILE] [--events N] [--out PNG]

Without FILE a simulated shop closes for a week, and later for two; meanwhile another one, which has no user and no item
in common with it, is all that the model learns from, or nobody is. Shown is recall of the first events after a pause:
these are the same events all the time, so that what the other shop made the model forget is the difference.

FILE is an event log as `interest-stream evaluate` takes; shown are first events of users after a week without any,
beside all others. Replay is as by default, then none; events and predictions are the same.
"""

import argparse
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np

from models.config import ModelConfig
from models.device.runtime import configure
from models.quality.evaluation import RANKERS
from models.quality.predictions import gains
from stream.demo.simulator import ShopConfig, SimulatedShop
from stream.evaluation.plot import blank, dress, over_stream
from stream.evaluation.prequential import Evaluation, EvaluationPlan
from stream.evaluation.report import LONG_PAUSE_MS
from stream.evaluation.sources import Stretch, usable
from stream.event_logs import EventTypeMapping, read_log
from stream.records.events import Event, Search
from stream.settings import Settings

START_MS, EVERY_MS = 1_700_000_000_000, 20_160  # 30,000 events a week
OWN, OTHER = "A", "B"
SEASONS = ((OWN, 30_000), (OTHER, 30_000), (OWN, 10_000), (OTHER, 60_000), (OWN, 10_000))
PAUSES = {2: "a week", 4: "two weeks"}  # what precedes a season
FIRST = 2_500  # predictions of a season that are shown
REPLAYS = {"replay": ModelConfig().replay_ratio, "no replay": 0}
SHOWN = ("mixture", "vector", "counting")


def seasons(with_other: bool) -> Iterator[Stretch]:
    """Two shops in turn, each going on where it closed; the other one only on demand."""
    shops = {name: SimulatedShop(ShopConfig(seed=seed)) for seed, name in enumerate((OWN, OTHER))}
    start_ms = START_MS
    for number, (name, count) in enumerate(SEASONS):
        times_ms = range(start_ms, start_ms + count * EVERY_MS, EVERY_MS)
        start_ms += count * EVERY_MS
        if name == OWN or with_other:
            yield Stretch(number, (_of(name, event) for event in shops[name].events(times_ms)), is_judged=name == OWN)


def _of(shop: str, event: Event) -> Event:
    about = {"query": f"{shop}{event.query}"} if isinstance(event, Search) else {"item_id": f"{shop}{event.item_id}"}
    return msgspec.structs.replace(event, user_id=f"{shop}{event.user_id}", event_id=None, **about)


def predictions(stretches: Iterable[Stretch], replay: int) -> np.ndarray:
    """`[n]` of `PREDICTION`."""
    model = ModelConfig(max_items=20_000, replay_ratio=replay)
    evaluation = Evaluation(Settings.load(max_items=model.max_items), model, EvaluationPlan("event", 1.0))
    evaluation.start()
    return np.concatenate([evaluation.judge(stretch) for stretch in stretches])


def row(name: str, judged: np.ndarray) -> None:
    """Print recall@20 of each ranker shown."""
    by_ranker = (gains(judged["ranks"][:, RANKERS.index(ranker)])["recall@20"].mean() for ranker in SHOWN)
    print(f"| {name}, {len(judged):,} | " + " | ".join(f"{value:.3f}" for value in by_ranker) + " |", flush=True)


def draw(judged_by: dict[str, np.ndarray], below: str, path: Path) -> None:
    """Recall of network and mixture over the predictions given; vertical lines where a pause was."""
    picture = blank()
    for axes, ranker in zip(picture.subplots(1, 2, sharey=True), SHOWN[:2], strict=True):
        for name, judged in judged_by.items():
            positions, figures = over_stream(judged)
            recalls = figures["recall@20"][:, RANKERS.index(ranker)]
            style = {"color": f"C{'no replay' in name:d}", "linestyle": ":" if "nobody" in name else "-"}
            axes.plot(positions, recalls, label=name, linewidth=1.4, **style)
        for at in np.flatnonzero(np.diff(judged["part"])):
            axes.axvline(judged["position"][at], color="grey", linewidth=1)
        dress(axes, f"recall@20: {ranker}", below)
        axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(fontsize=8, frameon=False)
    picture.savefig(path)


def of_shops() -> dict[str, np.ndarray]:
    """Predictions of our shop by what was replayed and who else came."""
    judged_by = {}
    for replay, ratio in REPLAYS.items():
        for meanwhile in ("nobody", "another shop"):
            name = f"{replay}, {meanwhile} meanwhile"
            judged = judged_by[name] = predictions(seasons(meanwhile != "nobody"), ratio)
            judged["position"] = np.arange(len(judged))
            for season, pause in PAUSES.items():
                row(f"{name}, after {pause}", judged[judged["part"] == season][:FIRST])
    return judged_by


def of_log(path: Path, num_events: int | None) -> dict[str, np.ndarray]:
    """Predictions of who comes back, by what was replayed."""
    judged_by = {}
    for replay, ratio in REPLAYS.items():
        events = islice(usable(read_log(path, EventTypeMapping.parse(()))), num_events)
        judged = predictions([Stretch(0, events, is_judged=True)], ratio)
        is_back = judged["pause_ms"] >= LONG_PAUSE_MS
        judged_by[replay] = judged[is_back]
        row(f"{replay}, after a week or more", judged[is_back])
        row(f"{replay}, all others", judged[~is_back])
    return judged_by


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--events", type=int, help="the first N of the file only")
    parser.add_argument("--out", type=Path, help="draw it there")
    args = parser.parse_args()
    configure(preallocate=False, compilation_cache=Settings.load().compilation_cache)
    print("| recall@20 | " + " | ".join(SHOWN) + " |\n" + "|---" * (1 + len(SHOWN)) + "|", flush=True)
    judged_by = of_log(args.file, args.events) if args.file else of_shops()
    if args.out:
        below = "clicks and purchases before" if args.file else "the shop's own clicks and purchases before"
        draw(judged_by, below, args.out)


if __name__ == "__main__":
    main()
