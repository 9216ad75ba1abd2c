"""How long an answer takes at 100,000 items, and how long of the processor: interest, recommendations, similar items.

.venv/bin/python -m tests.benchmark.answers
"""

import time
from collections.abc import Callable

import numpy as np

from stream.flow.answers import current_interest, recommended_items, similar_items
from stream.flow.engine import Engine
from stream.settings import Settings
from tests.support.builders import NOW_MS, a_chunk, a_click

NUM_ITEMS, ASKED = 100_000, 500


def an_engine() -> Engine:
    """All items clicked once, by a thousand users, learned and published."""
    engine = Engine(Settings.load(max_items=NUM_ITEMS))
    for start in range(0, NUM_ITEMS, 1_000):
        clicks = [a_click(f"u{n % 1_000}", f"i{n}", NOW_MS - NUM_ITEMS + n) for n in range(start, start + 1_000)]
        engine.process([a_chunk(clicks)])
        while engine.learner.num_pending:
            engine.teacher.learn_batch()
    engine.begin(1)
    while any([*engine.moved_item_vectors()]):
        pass
    return engine


def milliseconds(call: Callable[[int], object]) -> str:
    call(0)  # compiles
    times, used_s = [], time.process_time()
    for n in range(ASKED):
        began_s = time.perf_counter()
        call(n)
        times.append(1_000 * (time.perf_counter() - began_s))
    used_ms = 1_000 * (time.process_time() - used_s) / ASKED
    p50, p99 = np.percentile(times, [50, 99])
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, {used_ms:.1f} ms of the processor"


if __name__ == "__main__":
    engine = an_engine()
    print("interest       ", milliseconds(lambda n: current_interest(engine, f"u{n}")))
    print("recommendations", milliseconds(lambda n: recommended_items(engine, f"u{n}", 20)))
    print("similar items  ", milliseconds(lambda n: similar_items(engine, f"i{n}", 20)))
