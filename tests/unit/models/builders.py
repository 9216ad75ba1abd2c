"""Small learners and their food, with defaults."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from models.config import ModelConfig
from models.inputs.features import CLICK, Examples, WindowBatch
from models.learner import OnlineLearner

SMALL = ModelConfig(
    dim=8,
    encoder_window=4,
    max_items=20,
    num_fallback_items=2,
    max_queries=8,
    tokens_per_query=3,
    num_query_tokens=16,
    batch_size=8,
    num_negatives=8,
    replay_capacity=32,
    memory_slots=4,
    score_sample_ratio=1.0,
)


def a_config(**changes: Any) -> ModelConfig:
    return replace(SMALL, **changes)


def a_learner(**changes: Any) -> OnlineLearner:
    return OnlineLearner(a_config(**changes))


def windows_of(*rows: Sequence[int], time: int = 4) -> WindowBatch:
    """Windows whose newest positions are these slots."""
    windows = WindowBatch.empty(len(rows), time)
    for row, slots in enumerate(rows):
        windows.slots[row, time - len(slots) :] = slots
    return windows


def an_example(window: Sequence[int], target: int, kind: int = CLICK) -> Examples:
    return Examples(windows_of(window), np.array([target], np.int32), np.array([kind], np.int8))


def some_examples(learner: OnlineLearner, count: int, seed: int = 0, num_items: int = 20) -> Examples:
    """Random clicks on the first items, some windows with a search, some empty."""
    rng = np.random.default_rng(seed)
    items = learner.resolve_items([f"item {n}" for n in range(num_items)]).slots
    queries = learner.resolve_queries(["red shoes", "blue hat", "socks"]).slots
    windows = WindowBatch.empty(count, learner.config.encoder_window)
    windows.slots[:] = rng.choice(np.r_[items, -queries], windows.slots.shape)
    windows.slots[np.arange(4)[None, :] < rng.integers(0, 5, count)[:, None]] = 0
    windows.gaps[:] = rng.integers(0, 24, windows.gaps.shape)
    windows.kinds[:] = np.where(windows.slots < 0, 2, rng.integers(0, 2, windows.kinds.shape))
    return Examples(windows, rng.choice(items, count), rng.integers(0, 2, count).astype(np.int8))


def learn_all(learner: OnlineLearner) -> None:
    """Learn what waits, one replayed batch after each."""
    while learner.learn_batch() is not None:
        learner.replay_batch()


def differences(one: OnlineLearner, other: OnlineLearner) -> list[str]:
    """Names of the arrays in which two learners' states differ by a bit."""
    left, right = one.state(), other.state()
    assert left.keys() == right.keys()
    return [name for name in left if not same(left[name], right[name])]


def same(left: Any, right: Any) -> bool:
    """Whether two saved columns are equal to the bit."""
    if isinstance(left, list):
        return bool(left == right)
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
