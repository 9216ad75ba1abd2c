"""Whether anything is compiled after start-up, whatever sizes arrive.

    .venv/bin/python -m tests.benchmark.compilations [--micro-batches 200]

Micro-batches of odd sizes with few and many users, searches and purchases, learned whole and behind, replayed, asked
for recommendations and neighbours, until items, queries and users have to make room for others, and a checkpoint taken
in between. Every compilation of the process counts, as jax itself reports them.
"""

import argparse
import time
from functools import partial
from itertools import islice

import jax.monitoring
import numpy as np

from stream.flow.engine import Engine
from stream.settings import Settings
from tests.benchmark.figures import Figure, say, show
from tests.benchmark.process import set_up_as_worker
from tests.benchmark.profile_event import decoded, fetch
from tests.benchmark.shop import Record, Shop

COMMAND = ".venv/bin/python -m tests.benchmark.compilations"
COMPILED = "/jax/core/compile/backend_compile_duration"
LARGEST = 4_500  # records of a micro-batch; an agent may hand over a little more than `micro_batch_size`
SHOPS = Shop(users=3, items=60), Shop(users=20_000, items=15_000), Shop(users=50_000, items=100, seed=2)


class Compilations:
    """Counts what jax compiles from now on."""

    def __init__(self) -> None:
        self.count = 0
        jax.monitoring.register_event_duration_secs_listener(self._note)

    def _note(self, event: str, duration_secs: float, **_: str | int) -> None:
        self.count += event == COMPILED


def live(engine: Engine, settings: Settings, num_batches: int) -> None:
    """Whatever a worker does, in sizes that a random generator draws."""
    random, offset = np.random.default_rng(0), 0
    now_ms = int(time.time() * 1000)
    sources = [shop.records(LARGEST * num_batches, now_ms) for shop in SHOPS]
    for number in range(num_batches):
        size = int(random.integers(1, LARGEST) if random.random() < 0.5 else random.integers(1, 40))
        records: list[Record] = list(islice(sources[random.integers(len(sources))], size))
        engine.process(decoded(fetch(records, settings, offset), settings))
        offset += size
        is_behind = bool(random.integers(2))
        while engine.learner.num_pending > random.integers(settings.learn_batch_size):
            engine.teacher.learn_batch(is_behind=is_behind)
        for _ in range(random.integers(3)):
            engine.teacher.replay_batch()
        for _ in engine.moved_item_vectors():
            pass
        engine.serve()
        user, vector = f"user-{random.integers(20_000)}", random.standard_normal(settings.dim).astype(np.float32)
        engine.answer(partial(Engine.recommend, user_id=user, count=int(random.integers(1, 50))))
        engine.answer(partial(Engine.nearest_items, vector=vector, k=int(random.integers(1, 30))))
        if number % 50 == 0:
            engine.take_changes()
            say(f"{number:,} micro-batches, {offset:,} events")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--micro-batches", type=int, default=200)
    asked = parser.parse_args()
    settings = Settings.load(max_items=10_000, max_queries=1_000, max_users=30_000)
    set_up_as_worker(settings)
    compilations = Compilations()
    engine = Engine(settings)
    engine.compile()
    engine.begin(1)
    at_start = compilations.count
    assert at_start, "jax no longer reports what it compiles as this listens for it"
    live(engine, settings, asked.micro_batches)
    show(Figure("compilations_after_start", compilations.count - at_start, "compilations", COMMAND))


if __name__ == "__main__":
    main()
