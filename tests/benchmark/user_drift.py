"""Whether the drift in a user's updates tells users who have just turned to something else from those who have not.

    python -m tests.benchmark.user_drift [--events N]

In the simulated shop each user turns to another category after a number of sessions. An update is of a user who has
turned in one of the first sessions after that, and of one who has not in the second half of the time until the next;
the figure is the area under the curve of the emitted drift: the chance that it is higher for the former.
"""

import argparse
from dataclasses import dataclass

import msgspec
import numpy as np
from faust.types import TP

from models.device.runtime import configure
from models.inputs.features import KINDS
from stream.demo.simulator import ShopConfig, SimulatedShop
from stream.flow.engine import Engine
from stream.flow.intake import Chunk
from stream.records.events import KIND_OF_EVENT_CLASS, Event
from stream.settings import Settings
from tests.benchmark.figures import Figure, show

START_MS = 1_700_000_000_000
BATCH = 64  # events of a micro-batch
TURNED = 4  # sessions after a turn in which a user has turned


@dataclass(frozen=True)
class Plan:
    """What happens.

    Attributes:
        shop: its users turn after `sessions_per_drift` sessions.
        events: of which the first half is not judged.
        every_ms: between two events.
    """

    shop: ShopConfig
    events: int
    every_ms: int


PLAN = Plan(ShopConfig(num_users=100, open_sessions=50, sessions_per_drift=12, drift_ratio=0.7), 60_000, 200_000)


def auc_of_drift(settings: Settings, plan: Plan) -> float:
    """The area under the curve, in [0, 1]; 0.5 is chance."""
    shop, engine = SimulatedShop(plan.shop), Engine(settings)
    engine.begin(1)
    turned: list[float] = []
    settled: list[float] = []
    for first in range(0, plan.events, BATCH):
        events = [shop.event_at(START_MS + plan.every_ms * number) for number in range(first, first + BATCH)]
        for user_id, drift in _updates(engine, settings, events):
            since = shop.sessions_since_turn(user_id)
            if first >= plan.events / 2 and since is not None:
                turned += [drift] * (since < TURNED)
                settled += [drift] * (since >= plan.shop.sessions_per_drift / 2)
        _learn(engine)
    return area_under_curve(np.array(turned), np.array(settled))


def area_under_curve(positives: np.ndarray, negatives: np.ndarray) -> float:
    """The chance that a positive is above a negative, ties half."""
    below, not_above = (np.searchsorted(np.sort(negatives), positives, side) for side in ("left", "right"))
    return float((below + not_above).mean() / (2 * len(negatives)))


def _updates(engine: Engine, settings: Settings, events: list[Event]) -> list[tuple[str, float]]:
    chunks = []
    for kind in range(len(KINDS)):
        own = [event for event in events if KIND_OF_EVENT_CLASS[type(event)] == kind]
        hashes = np.zeros(len(own), np.uint64)
        chunks += [Chunk(TP(settings.input_topics[kind], 0), kind, 0, len(own), own, hashes, [])] if own else []
    records = [record for of_partition in engine.process(chunks).updates.values() for record in of_partition]
    updates = [msgspec.json.decode(record.value or b"{}") for record in records]
    return [(update["user_id"], update["drift"]) for update in updates]


def _learn(engine: Engine) -> None:
    """What a worker that has time learns."""
    while engine.learner.num_pending >= engine.learner.config.batch_size:
        engine.teacher.learn_batch()
        for _ in range(engine.learner.config.replay_ratio):
            engine.teacher.replay_batch()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=PLAN.events)
    events = parser.parse_args().events
    settings = Settings.load(max_items=20_000)
    configure(preallocate=False, compilation_cache=settings.compilation_cache)
    auc = auc_of_drift(settings, Plan(PLAN.shop, events, PLAN.every_ms))
    command = f"python -m tests.benchmark.user_drift --events {events}"
    show(Figure("area under the curve of users' drift", round(auc, 4), "ratio", command, 0.5, "chance"))


if __name__ == "__main__":
    main()
