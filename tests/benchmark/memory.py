"""How much resident memory a million users take, above the process without them.

    .venv/bin/python -m tests.benchmark.memory [--users 500000]

Users come through micro-batches, one event each: the rows of a user are taken at their full width, whatever the window
holds. First users whose events have no `event_id`, then as many whose events have one, which is remembered for them.
Changes are taken as for checkpoints; the copies are gone when memory is looked at.
"""

import argparse
import time
from collections.abc import Iterator
from functools import partial

from models import runtime
from stream.flow.engine import Engine
from stream.memory import give_back
from stream.records.events import Click, encode_event
from stream.settings import Settings
from tests.benchmark.figures import Figure, show
from tests.benchmark.population import feed
from tests.benchmark.resident import resident_bytes
from tests.benchmark.shop import Record

COMMAND = ".venv/bin/python -m tests.benchmark.memory"
GIB, MILLION = 2**30, 1_000_000
ITEMS = 10_000
BEFORE = 20_000  # users after whom the process has all that it needs but for them


def clicks(name: str, users: int, with_ids: bool) -> Iterator[Record]:
    """One click of each of `users`."""
    now_ms = int(time.time() * 1000)
    for user in range(users):
        event_id = f"{name}-{user}" if with_ids else None
        yield 0, *encode_event(Click(f"{name}-{user}", f"item-{user % ITEMS}", now_ms, event_id=event_id))


def settled_bytes(engine: Engine) -> int:
    """Resident memory right after a checkpoint."""
    engine.take_changes()
    give_back()
    return resident_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=500_000, help="of each sort")
    asked = parser.parse_args()
    settings = Settings.load(learning=False, max_users=BEFORE + 2 * asked.users)
    runtime.configure(preallocate=False, compilation_cache=settings.compilation_cache)
    engine = Engine(settings)
    engine.compile()
    let_through = partial(feed, engine, settings)
    let_through(clicks("early", BEFORE, with_ids=True))
    for name, with_ids in (("", False), ("_with_event_ids", True)):
        before = settled_bytes(engine)
        let_through(clicks(f"user{name}", asked.users, with_ids))
        per_million = (settled_bytes(engine) - before) / asked.users * MILLION / GIB
        show(Figure(f"memory_per_million_users{name}", round(per_million, 3), "GiB", COMMAND))


if __name__ == "__main__":
    main()
