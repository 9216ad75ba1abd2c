"""How well other libraries predict, beside our rankers, on the same predictions.

    make peers
    python -m tests.benchmark.quality_peers FOLDER [--periods N] [--sample RATIO] [--peers NAME ...]

FOLDER is judged as by `interest-stream evaluate --protocol periods`: each event is predicted before it is learned. The
peers then go over the same events, each in a process and an environment of its own
(`tests/benchmark/peers/protocol.py`), and rank the same items; they take in every event at once, where ours learns
after 256. A slow peer ranks a random part of the predictions, and our figures beside it are of that part. Costs are
seconds of the processor.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from models.config import ModelConfig
from models.device.runtime import configure
from models.quality.evaluation import RANKERS
from models.quality.predictions import gains, mean_over_parts
from stream.evaluation.prequential import Evaluation, EvaluationPlan
from stream.evaluation.sources import period_stretches
from stream.records.events import Event, Search
from stream.settings import Settings
from tests.benchmark import peers
from tests.benchmark.figures import say

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Peer:
    """A recommender in a process of its own.

    Attributes:
        python: of its environment.
        module: in `tests.benchmark.peers`.
        model: which of the module's.
        most_ranks: predictions it has the time to rank; 0 for all.
    """

    python: Path
    module: str
    model: str = ""
    most_ranks: int = 0

    def command(self) -> list[str]:
        """What starts it."""
        return [str(self.python), "-m", f"tests.benchmark.peers.{self.module}", *filter(None, [self.model])]


PEERS = {
    "V-SKNN": Peer(Path(sys.executable), "session_knn"),
    "implicit ALS": Peer(peers.RECOMMENDERS_PYTHON, "implicit_models", "als"),
    "implicit BM25": Peer(peers.RECOMMENDERS_PYTHON, "implicit_models", "bm25"),
    "river BiasedMF": Peer(peers.RECOMMENDERS_PYTHON, "river_models", "biased_mf", 300),
    "river LogisticRegression": Peer(peers.RECOMMENDERS_PYTHON, "river_models", "logistic", 300),
    "river FMClassifier": Peer(peers.RECOMMENDERS_PYTHON, "river_models", "fm", 300),
    "deep-river LSTM": Peer(peers.LEARNING_PYTHON, "deep_river_sessions"),
}


@dataclass(frozen=True)
class Recording:
    """One pass of our model over a stream, and what a peer is to be asked to make the same predictions.

    Attributes:
        events: session and item of each event.
        ends: how many events there were when a period was over.
        judged: `[n]` of `PREDICTION`.
    """

    events: list[tuple[str, str]]
    ends: list[int]
    judged: np.ndarray

    def lines(self, positions: set[int]) -> Iterator[str]:
        """Questions to a peer: what was at `positions` is to be ranked."""
        for position, event in enumerate(self.events):
            if position in self.ends:
                yield json.dumps({"retrain": self.ends.index(position)})
            if position in positions:
                yield json.dumps({"rank": event})
            yield json.dumps({"learn": event})


def record(folder: Path, num_periods: int, sample: float) -> Recording:
    """Predict and learn."""
    evaluation = Evaluation(Settings.load(), ModelConfig(), EvaluationPlan("event", sample))
    evaluation.start()
    events: list[tuple[str, str]] = []
    ends: list[int] = []
    judged = []
    for stretch in period_stretches(folder, num_periods):
        judged.append(evaluation.judge(replace(stretch, events=_kept(stretch.events, events))))
        ends.append(len(events))
    return Recording(events, ends, np.concatenate(judged))


def _kept(events: Iterable[Event], read: list[tuple[str, str]]) -> Iterator[Event]:
    """The events, whose sessions and items are appended to `read` as they pass."""
    for event in events:
        if not isinstance(event, Search):
            read.append((event.user_id, event.item_id))
        yield event


@dataclass(frozen=True)
class Ranked:
    """What a peer said.

    Attributes:
        at: `[n]` int64 which of the judged predictions it ranked.
        ranks: `[n]` int64, 0 the top.
        learn_s: seconds of the processor an event.
        rank_s: and a prediction.
        versions: by package.
    """

    at: np.ndarray
    ranks: np.ndarray
    learn_s: float
    rank_s: float
    versions: dict[str, str]


def ask(peer: Peer, recording: Recording) -> Ranked:
    """Let a peer go over the stream.

    Raises:
        subprocess.CalledProcessError: it failed; its stderr was shown.
    """
    count = len(recording.judged)
    most = min(peer.most_ranks or count, count)
    at = np.sort(np.random.default_rng(0).permutation(count)[:most])
    lines = "\n".join(recording.lines(set(recording.judged["position"][at].tolist())))
    answered = subprocess.run(
        peer.command(), input=lines, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | ONE_THREAD
    )
    *ranks, last = answered.stdout.splitlines()
    cost: dict[str, Any] = json.loads(last)
    return Ranked(
        at,
        np.array([int(rank) for rank in ranks]),
        cost["learn_s"] / len(recording.events),
        cost["rank_s"] / most,
        cost["versions"],
    )


def pair(ranks: np.ndarray, parts: np.ndarray) -> str:
    """Recall@20 and MRR@20, ratios, the mean over periods."""
    gain = gains(ranks)
    return " / ".join(f"{mean_over_parts(gain[name], parts):.3f}".lstrip("0") for name in ("recall@20", "mrr@20"))


def row(name: str, recording: Recording, ranked: Ranked) -> str:
    """A peer beside ours."""
    judged = recording.judged[ranked.at]
    ours = [pair(judged["ranks"][:, RANKERS.index(ranker)], judged["part"]) for ranker in RANKERS[:3]]
    named = ", ".join([name, *(f"{package} {version}" for package, version in ranked.versions.items())])
    cells = [named, f"{len(judged):,}", pair(ranked.ranks, judged["part"]), *ours]
    return "| " + " | ".join([*cells, f"{1e6 * ranked.learn_s:,.0f} µs", f"{1e3 * ranked.rank_s:,.1f} ms"]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--periods", type=int, default=1)
    parser.add_argument("--sample", type=float, default=0.1)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    args = parser.parse_args()
    for name in args.peers:
        peers.require(PEERS[name].python)
    configure(preallocate=False, compilation_cache=Settings.load().compilation_cache)
    began_s = time.process_time()
    recording = record(args.folder, args.periods, args.sample)
    an_event = 1e6 * (time.process_time() - began_s) / len(recording.events)
    say(f"{len(recording.events):,} events, {len(recording.judged):,} predictions; ours {an_event:,.0f} µs an event")
    print(f"| peer | predictions | peer | {' | '.join(RANKERS[:3])} | learn an event | rank |\n|{'---|' * 8}")
    for name in args.peers:
        print(row(name, recording, ask(PEERS[name], recording)), flush=True)


if __name__ == "__main__":
    main()
