"""The same examples learned on one device and on several, in a process of its own: it alone can have several CPUs.

    XLA_FLAGS=--xla_force_host_platform_device_count=4 python -m tests.support.several_devices OUT.npz

Writes what came out, by `devices/name`.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from models.inputs.features import Examples, WindowBatch
from models.learner import OnlineLearner
from models.mixture.recommend import RecommendPolicy
from tests.support.small import SMALL_MODEL

NUM_ITEMS = 50
NUM_EXAMPLES = 800  # 50 batches, and as many replayed
ITEMS = np.arange(1, NUM_ITEMS)


def a_learner(num_devices: int, **changes: Any) -> OnlineLearner:
    return OnlineLearner(replace(SMALL_MODEL, num_devices=num_devices, **changes))


def examples_for(learner: OnlineLearner) -> Examples:
    """Walks among the items, one in ten windows with a search, and what came next."""
    rng = np.random.default_rng(0)
    items = learner.resolve_items([f"item {n}" for n in range(NUM_ITEMS)]).slots
    queries = learner.resolve_queries(["red shoes", "blue hat"]).slots
    steps = rng.integers(1, 4, (NUM_EXAMPLES, learner.config.encoder_window + 1))
    walks = items[(rng.integers(0, NUM_ITEMS, (NUM_EXAMPLES, 1)) + np.cumsum(steps, axis=1)) % NUM_ITEMS]
    windows = WindowBatch.empty(NUM_EXAMPLES, learner.config.encoder_window)
    windows.slots[:] = walks[:, :-1]
    windows.slots[::10, 1] = -queries[0]
    return Examples(windows, walks[:, -1], np.zeros(NUM_EXAMPLES, np.int8))


def learn(learner: OnlineLearner, examples: Examples) -> None:
    """All that a worker does with examples, answers served meanwhile."""
    learner.add(examples)
    while learner.learn_batch() is not None:
        learner.replay_batch()
        learner.serve()


def vectors(learner: OnlineLearner, examples: Examples) -> dict[str, Any]:
    """Of items and users, by the copy that answers are read by."""
    few = examples.windows.take(slice(0, 32))
    return {"vectors": learner.served.item_vectors(ITEMS), "interests": learner.served.encode(few)}


def answers(learner: OnlineLearner, examples: Examples) -> dict[str, Any]:
    """Where items stand, and what is recommended, to many and to one."""
    few, nothing = examples.windows.take(slice(0, 32)), np.zeros((32, 1), np.int32)
    recommended = learner.served.recommend(few, nothing, RecommendPolicy(count=10))
    learner.served.recommend(few.take(slice(0, 1)), nothing[:1], RecommendPolicy(count=10, diversity=0.5))
    return {
        "ranks": learner.served.ranker.rank(examples.take(slice(0, 160))),
        "recommended": recommended.slots,
        "scores": recommended.scores,
    }


def where_it_lies(learner: OnlineLearner) -> dict[str, Any]:
    """Rows of the table by device, and the last row, which only makes it divide evenly."""
    state = learner._device._state
    shards = state.table.vectors.addressable_shards
    return {
        "devices": np.array([shard.device.id for shard in shards]),
        "rows": np.array([len(shard.data) for shard in shards]),
        "moments": np.array([len(m.addressable_shards[0].data) for m in state.table.moments.values()]),
        "is_whole": all(leaf.is_fully_replicated for leaf in jax.tree.leaves(state.params)),
        "last_row": np.asarray(state.table.vectors)[-1],
    }


def difference(left: OnlineLearner, right: OnlineLearner) -> float:
    return float(np.abs(left.item_vectors(ITEMS) - right.item_vectors(ITEMS)).max())


def num_different(left: dict[str, Any], right: dict[str, Any]) -> int:
    """Saved arrays that are not equal to the bit."""
    assert left.keys() == right.keys()
    return sum(not np.array_equal(left[name], right[name]) for name in left)


def restored(learners: dict[int, OnlineLearner], examples: Examples) -> dict[str, Any]:
    """Each learner becomes the one before it, the first the last, and learns on beside it."""
    found: dict[str, float] = {}
    for saved, reads in ((4, 1), (1, 4), (4, 2)):
        state = learners[saved].state()
        learners[reads].restore(state)
        found[f"{saved} to {reads}/num_different"] = num_different(state, learners[reads].state())
        learn(learners[saved], examples)
        learn(learners[reads], examples)
        found[f"{saved} to {reads}/difference"] = difference(learners[saved], learners[reads])
    return found


def main(path: Path) -> None:
    compiled: list[str] = []

    def note(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event.endswith("backend_compile_duration"):
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(note)
    jax.config.update("jax_numpy_rank_promotion", "raise")
    jax.config.update("jax_numpy_dtype_promotion", "strict")
    found: dict[str, Any] = {}
    learners = {1: a_learner(1), 2: a_learner(2, score_sample_ratio=0.0), 4: a_learner(4)}
    learners[4].compile()
    for count, learner in sorted(learners.items(), reverse=True):
        before, num_compiled = learner._device._state.table.vectors, len(compiled)
        examples = examples_for(learner)
        learn(learner, examples)
        came_out = vectors(learner, examples) | where_it_lies(learner)
        if learner.config.score_sample_ratio:  # the others compile no ranking, which takes most of their time
            came_out |= answers(learner, examples)
        came_out |= {"num_compiled": len(compiled) - num_compiled, "is_donated": before.is_deleted()}
        found |= {f"{count}/{name}": value for name, value in came_out.items()}
    found |= restored(learners, examples.take(slice(0, 32)))
    np.savez(path, **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
