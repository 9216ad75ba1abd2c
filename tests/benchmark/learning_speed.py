"""How fast the model learns, beside deep-river's LSTM and beside GRU4Rec's recipe in PyTorch, on the same events.

    make peers
    .venv/bin/python -m tests.benchmark.learning_speed

Events a second of the processor, one thread each, the sides in turns; best of the turns. Three figures:

- online_step: one user's events; each is predicted, and learned as under load. deep-river has the items of that user as
  classes, ours 100,000 item slots.
- training_step: the network's step, default settings, the making of its batch included.
- learning: all that is done to learn from an event under load, the counting memory and some of the gate included.
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.config import ModelConfig
from models.inputs.features import Examples, WindowBatch
from models.learner import OnlineLearner
from stream.settings import Settings
from tests.benchmark import peers
from tests.benchmark.figures import Figure, say, show
from tests.benchmark.process import set_up_as_worker
from tests.benchmark.shop import Shop

COMMAND = ".venv/bin/python -m tests.benchmark.learning_speed"
ITEMS, SESSIONS, STEPS = 50_000, 128, 200
ONE_USERS_EVENTS = 1_000 + 2_560
TURNS = 3


def sessions_of(count: int, length: int) -> np.ndarray:
    """`[count, length]` int64 items that as many users of a shop look at."""
    users = np.repeat(np.arange(count), length)
    return Shop(count, ITEMS).items_of(users, np.random.default_rng(0)).reshape(count, length)


class Ours:
    """A learner, and examples of sessions in the order of their steps: all of a step, then those of the next."""

    def __init__(self, config: ModelConfig, sessions: np.ndarray) -> None:
        self._learner = OnlineLearner(config)
        self._learner.compile()
        slots = self._learner.resolve_items([f"item-{item}" for item in range(ITEMS)]).slots[sessions]
        window = config.encoder_window
        padded = np.pad(slots, ((0, 0), (window, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, window, axis=1)[:, :-1].swapaxes(0, 1)
        rows = windows.reshape(-1, window).astype(np.int32)
        empty = WindowBatch.empty(*rows.shape)
        gaps = (rows != 0).astype(np.uint8)
        targets = slots.T.ravel().astype(np.int32)
        self._examples = Examples(replace(empty, slots=rows, gaps=gaps), targets, np.zeros(len(rows), np.int8))
        self._batch = config.batch_size

    def learn(self, *, with_predictions: bool) -> int:
        """Learn from every event once, as under load; returns how many there were."""
        for start in range(0, len(self._examples), self._batch):
            some = self._examples.take(slice(start, start + self._batch))
            if with_predictions:
                self._learner.read(some.windows)
            self._learner.add(some)
            self._learner.learn_batch(is_behind=True)
        self._wait()
        return len(self._examples)

    def train(self) -> int:
        """As many steps of the network as the events fill, and nothing else; needs `learn` first."""
        num_steps = len(self._examples) // self._batch
        for _ in range(num_steps):
            self._learner.replay_batch()
        self._wait()
        return num_steps * self._batch

    def _wait(self) -> None:
        self._learner.read(self._examples.windows.take(slice(0, 1)))


def rate_of(work: Callable[[], int]) -> float:
    """Events a second of the processor."""
    began_s = time.process_time()
    return work() / (time.process_time() - began_s)


def rate_of_peer(script: str, **given: np.ndarray | int) -> float:
    """What a peer says of itself."""
    peers.require(peers.LEARNING_PYTHON)
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        np.savez(file, **given)  # type: ignore[arg-type]
        file.flush()
        command: list[str | Path] = [peers.LEARNING_PYTHON, peers.FOLDER / script, file.name]
        return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def in_turns(ours: Callable[[], float], peer: Callable[[], float]) -> tuple[float, float]:
    """The best of each side."""
    pairs = []
    for _ in range(TURNS):
        pairs.append((ours(), peer()))
        say(f"ours {pairs[-1][0]:,.0f}, peer {pairs[-1][1]:,.0f} a second")
    return max(rate for rate, _ in pairs), max(rate for _, rate in pairs)


def figure(name: str, rates: tuple[float, float], peer_name: str) -> Figure:
    """Ours beside the peer's."""
    return Figure(name, round(rates[0]), "events/s of a core", COMMAND, round(rates[1], 1), peer_name)


def online_step(config: ModelConfig) -> Figure:
    """One user."""
    sessions = sessions_of(1, ONE_USERS_EVENTS)
    ours = Ours(config, sessions)
    classes = np.unique(sessions[0], return_inverse=True)[1]
    vectors = np.random.default_rng(0).standard_normal((classes.max() + 1, config.dim)).astype(np.float32)
    rates = in_turns(
        lambda: rate_of(lambda: ours.learn(with_predictions=True)),
        lambda: rate_of_peer(
            "deep_river_lstm.py", items=classes[:1_000], vectors=vectors, window=config.encoder_window
        ),
    )
    return figure("online_step", rates, "deep-river LSTMClassifier, predict_one and learn_one")


def training(config: ModelConfig) -> list[Figure]:
    """Many users."""
    sessions = sessions_of(SESSIONS, STEPS)
    ours = Ours(config, sessions)
    ours.learn(with_predictions=False)
    learning = max(rate_of(lambda: ours.learn(with_predictions=False)) for _ in range(TURNS))
    rates = in_turns(
        lambda: rate_of(ours.train), lambda: rate_of_peer("gru4rec.py", sessions=sessions, num_items=ITEMS)
    )
    peer = "GRU4Rec's recipe in PyTorch"
    return [figure("training_step", rates, peer), figure("learning", (learning, rates[1]), peer)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    settings = Settings.load()
    set_up_as_worker(settings)
    show(online_step(settings.learner()))
    for each in training(settings.learner()):
        show(each)


if __name__ == "__main__":
    main()
