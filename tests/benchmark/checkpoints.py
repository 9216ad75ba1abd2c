"""How long checkpoints hold up the encode path, how much they write, and how long a restore takes, on a large state.

    .venv/bin/python -m tests.benchmark.checkpoints [--users 1000000] [--items 100000] [--rate 5000]

Fills an engine through its own micro-batches, saves it, then lives through ten seconds of events at `--rate` between
two checkpoints as a worker does, and restores. Prints one JSON object. At full size it needs about 6 GB of memory.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from checkpoints.store import CheckpointStore
from stream.flow.engine import Engine
from stream.records.events import Click, Event, Search
from stream.settings import Settings
from tests.support.builders import NOW_MS, a_chunk

CHECKPOINT_EVERY_S = 10


def batches(events: list[Event], size: int) -> Iterator[list[Event]]:
    for start in range(0, len(events), size):
        yield events[start : start + size]


class Live:
    """An engine that is fed, and how long each call held it up."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.engine = Engine(settings)
        self._offset = 0
        self.pauses_ms: list[float] = []

    def feed(self, events: list[Event]) -> None:
        """Micro-batches and the learning between them; notes what taking changes ahead costs."""
        for batch in batches(events, self.settings.micro_batch_size):
            began = time.perf_counter()
            self.engine.take_ahead()
            self.pauses_ms.append((time.perf_counter() - began) * 1000)
            self.engine.process([a_chunk(batch, first_offset=self._offset)])
            self._offset += len(batch)
            while self.engine.learner.num_pending >= self.settings.learn_batch_size:
                self.engine.teacher.learn_batch()

    def save(self, store: CheckpointStore) -> dict[str, float]:
        """One checkpoint; its pause is what the encode path notices, the write happens beside it."""
        began = time.perf_counter()
        changes, manifest = self.engine.take_changes()
        self.pauses_ms.append((time.perf_counter() - began) * 1000)
        began = time.perf_counter()
        number = store.save(changes, manifest)
        return {
            "pause_ms": round(self.pauses_ms[-1], 1),
            "write_s": round(time.perf_counter() - began, 2),
            "megabytes": round(store.num_bytes(number) / 1e6, 1),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=5_000, help="events a second between the two checkpoints")
    options = parser.parse_args()
    settings = Settings.load(max_users=options.users, max_items=options.items)
    random = np.random.default_rng(0)
    live = Live(settings)
    live.engine.compile()
    live.feed([Search(f"user-{u}", f"query {u % 1_000}", NOW_MS) for u in range(options.users)])
    live.feed([Click(f"user-{i % options.users}", f"item-{i}", NOW_MS + 1) for i in range(options.items)])
    with tempfile.TemporaryDirectory() as folder:
        store = CheckpointStore(Path(folder), kept=3)
        first = live.save(store)
        live.pauses_ms.clear()
        count = options.rate * CHECKPOINT_EVERY_S
        users, items = random.integers(0, options.users, count), random.zipf(1.2, count) % options.items
        live.feed([Click(f"user-{u}", f"item-{i}", NOW_MS + 2) for u, i in zip(users, items, strict=True)])
        second = live.save(store)
        began = time.perf_counter()
        restored = CheckpointStore(Path(folder), kept=3).restore()
        assert restored is not None
        fresh = Engine(settings)
        fresh.restore(restored.state, restored.manifest)
        restore_s = time.perf_counter() - began
    print(
        json.dumps(
            {
                "users": options.users,
                "items": options.items,
                "events_between": count,
                "everything": first,
                "what_changed": second,
                "longest_pause_ms": round(max(live.pauses_ms), 1),
                "restore_s": round(restore_s, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
