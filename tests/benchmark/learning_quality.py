"""How well the learner predicts and how fast it learns, on the DIGINETICA period files.

    python -m tests.benchmark.learning_quality [FOLDER] [--periods N] [--sample RATIO] [--replay N] [--set name=value]

Sessions are users, a line is a click. Every event is scored, then learned; ranks are among all items seen so far, ties
count against the ranker. Counted are ADER's predictions: items known before the period, and not a session's first.
Nothing from the files is kept.
"""

import os

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path

import numpy as np

from models.config import ModelConfig
from models.evaluation import RANKERS, RankHistogram
from models.features import Examples, WindowBatch
from models.learner import OnlineLearner

DEFAULT_FOLDER = Path("../shared/data/ader_diginetica")


def load_periods(folder: Path, count: int) -> list[np.ndarray]:
    """Periods as `[events, 2]` arrays of a dense user number and the item, in stream order."""
    periods = [np.loadtxt(folder / f"period_{p}.txt", dtype=np.int64) for p in range(count)]
    _, users = np.unique(np.concatenate(periods)[:, 0], return_inverse=True)
    ends = np.cumsum([len(period) for period in periods])
    return [
        np.stack([dense, period[:, 1]], 1) for dense, period in zip(np.split(users, ends[:-1]), periods, strict=True)
    ]


class RollingWindows:
    """The last items of each user; an event's window holds the earlier events of its own batch."""

    def __init__(self, num_users: int, time: int) -> None:
        self.slots = np.zeros((num_users, time), np.int32)

    def push(self, users: np.ndarray, items: np.ndarray) -> WindowBatch:
        """The windows before each event."""
        before = WindowBatch.empty(len(users), self.slots.shape[1])
        left = np.arange(len(users))
        while len(left):
            first = np.unique(users[left], return_index=True)[1]
            now = left[first]
            before.slots[now] = self.slots[users[now]]
            self.slots[users[now], :-1] = before.slots[now, 1:]
            self.slots[users[now], -1] = items[now]
            left = np.delete(left, first)
        return before


def is_predicted(users: np.ndarray, items: np.ndarray, known: np.ndarray, started: np.ndarray) -> np.ndarray:
    """ADER's predictions among these events: bool; marks users as started."""
    predicted = np.zeros(len(users), bool)
    for at in np.flatnonzero(known[items]):
        predicted[at] = started[users[at]]
        started[users[at]] = True
    return predicted


class Run:
    """One pass over the stream."""

    def __init__(self, config: ModelConfig, periods: list[np.ndarray], replay: int) -> None:
        self.learner = OnlineLearner(config)
        started = time.perf_counter()
        self.learner.compile()
        self.compile_s = time.perf_counter() - started
        num_users = 1 + max(int(period[:, 0].max()) for period in periods)
        self.num_items = 1 + max(int(period[:, 1].max()) for period in periods)
        self.windows = RollingWindows(num_users, config.encoder_window)
        self.started = np.zeros(num_users, bool)
        self.known = np.zeros(self.num_items, bool)
        self.replay = replay
        self.learn_s, self.num_events = 0.0, 0

    def period(self, events: np.ndarray, is_test: bool) -> RankHistogram:
        """Score and learn one period."""
        histogram = RankHistogram()
        self.started[:] = False
        size = self.learner.config.batch_size
        for start in range(0, len(events), size):
            users, items = events[start : start + size].T
            predicted = is_predicted(users, items, self.known, self.started)
            begun = time.perf_counter()
            slots = self.learner.resolve_items([str(item) for item in items]).slots
            windows = self.windows.push(users, slots)
            self.learner.add(Examples(windows, slots, np.zeros(len(slots), np.int8)))
            for _ in range(self.replay):
                self.learner.replay_batch()
            report = self.learner.learn_batch()
            self.learn_s += time.perf_counter() - begun
            if report is not None and is_test:
                histogram.add(report.ranks[predicted[report.scored]])
        self.num_events += len(events)
        self.known[events[:, 1]] = True
        return histogram


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--periods", type=int, default=3, help="test periods, at most 16")
    parser.add_argument("--sample", type=float, default=0.1, help="share of the events that is ranked")
    parser.add_argument("--replay", type=int, default=ModelConfig().replay_ratio, help="replayed batches for a new one")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the model")
    args = parser.parse_args()
    if not (args.folder / "period_0.txt").exists():
        print(f"no period files in {args.folder}: give the folder that holds period_0.txt …", file=sys.stderr)
        return 2
    config = ModelConfig(score_sample_ratio=args.sample)
    for name, value in (setting.split("=", 1) for setting in args.set):
        config = dataclasses.replace(config, **{name: type(getattr(config, name))(value)})
    periods = load_periods(args.folder, 1 + args.periods)
    run = Run(config, periods, args.replay)
    means = []
    for number, events in enumerate(periods):
        histogram = run.period(events, is_test=number > 0)
        if number:
            figures = {r: (100 * histogram.recall(r, 20), 100 * histogram.mrr(r, 20)) for r in RANKERS}
            means.append(figures)
            shown = " | ".join(f"{r} {recall:.2f}/{mrr:.2f}" for r, (recall, mrr) in figures.items())
            print(f"period {number:2d} n {histogram.num_predictions:6.0f} | {shown}", flush=True)
    summary = {
        **{r: [round(float(np.mean([m[r][k] for m in means])), 2) for k in (0, 1)] for r in RANKERS},
        "events_per_s": round(run.num_events / run.learn_s),
        "compile_s": round(run.compile_s, 1),
        "compilations": run.learner.compilations,
    }
    print(json.dumps(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
