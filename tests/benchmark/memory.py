"""How much resident memory a million users take, above the process without them.

    .venv/bin/python -m tests.benchmark.memory [--users 500000] [--full-users 150000]

Users come through micro-batches. First users of one event that has no `event_id`, then as many whose event has one,
which is remembered for them; then some whose windows are full, the most that a user without event ids can take:
fewer, since each comes with 50 events. Changes are taken as for checkpoints; the copies are gone when memory is
looked at. Pages are small: the system's huge ones round what each array takes up to 2 MiB, once and not for each
user. What Python keeps of all that came and went, some 7 MB, weighs less the more users there are.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

from models.device import runtime
from stream.flow.engine import Engine
from stream.memory import give_back
from stream.records.events import Click, encode_event
from stream.settings import Settings
from tests.benchmark.figures import Figure, show
from tests.benchmark.population import feed
from tests.benchmark.resident import resident_bytes, without_huge_pages
from tests.benchmark.shop import Record

COMMAND = ".venv/bin/python -m tests.benchmark.memory"
GIB, MILLION = 2**30, 1_000_000
ITEMS = 10_000
BEFORE = 10_000  # users with full windows, after whom the process has all that it needs but for them


class Sort(NamedTuple):
    """Users who are alike.

    Attributes:
        name: of the figure, behind what all have in common.
        num_users: how many.
        num_events: of each.
        with_ids: whether their events have an `event_id`.
    """

    name: str
    num_users: int
    num_events: int
    with_ids: bool

    def clicks(self) -> Iterator[Record]:
        """Each user's first click, then each one's second, and so on."""
        now_ms = int(time.time() * 1000)
        for event in range(self.num_events):
            for user in range(self.num_users):
                event_id = f"{user}-{event}" if self.with_ids else None
                item = f"item-{(user + event) % ITEMS}"
                yield 0, *encode_event(Click(f"user{self.name}-{user}", item, now_ms + event, event_id=event_id))


def settled_bytes(engine: Engine) -> int:
    """Resident memory right after a checkpoint."""
    engine.take_changes()
    give_back()
    return resident_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=500_000, help="of one event, and as many of one with an event_id")
    parser.add_argument("--full-users", type=int, default=150_000, help="whose windows are full")
    asked = parser.parse_args()
    without_huge_pages()
    settings = Settings.load(learning=False, max_users=BEFORE + 2 * asked.users + asked.full_users)
    runtime.configure(preallocate=False, compilation_cache=settings.compilation_cache)
    engine = Engine(settings)
    engine.compile()
    feed(engine, settings, Sort("_early", BEFORE, settings.window_size, with_ids=True).clicks())
    sorts = (
        Sort("", asked.users, 1, with_ids=False),
        Sort("_with_event_ids", asked.users, 1, with_ids=True),
        Sort("_full_windows", asked.full_users, settings.window_size, with_ids=False),
    )
    command = COMMAND + "".join(f" {argument}" for argument in sys.argv[1:])
    for sort in sorts:
        before = settled_bytes(engine)
        feed(engine, settings, sort.clicks())
        per_million = (settled_bytes(engine) - before) / sort.num_users * MILLION / GIB
        show(Figure(f"memory_per_million_users{sort.name}", round(per_million, 3), "GiB", command))


if __name__ == "__main__":
    main()
