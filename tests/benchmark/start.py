"""How long a worker takes from its start to its first update, with a warm compilation cache: empty, and with users.

    .venv/bin/python -m tests.benchmark.start [--users 1000000]

Records wait in the topics. Beside it in the same run a stock Faust agent, which has no state, to the first record that
it sees. The saved users have full windows and are copies of a few thousand.
"""

import argparse
import tempfile
import time
from pathlib import Path

from checkpoints.store import CheckpointStore
from models.saving import Change
from stream.broker.bulk_producer import BulkProducer
from stream.broker.topics import TopicNames, create_topics
from stream.flow.engine import Engine
from stream.settings import Settings
from tests.benchmark.figures import Figure, say, show
from tests.benchmark.latency import consumer_of
from tests.benchmark.peers import loops
from tests.benchmark.population import lived, multiplied
from tests.benchmark.shop import Shop
from tests.benchmark.throughput import DEFAULTS
from tests.support.kafka import Kafka, start_kafka
from tests.support.worker import WorkerProcess

COMMAND = ".venv/bin/python -m tests.benchmark.start"
LIVED, HISTORY = Shop(users=2_000, items=20_000), 50
WAITING = 1_000  # records
STARTS_WITHIN_S = 300.0


def save_users(settings: Settings, users: int) -> None:
    """A checkpoint of a worker that has them, which has read none of the records that wait."""
    engine = Engine(settings)
    engine.begin(1)
    _, manifest = engine.take_changes()
    lived_ms = LIVED.users * HISTORY
    state = multiplied(lived(settings, LIVED, HISTORY, int(time.time() * 1000) - lived_ms), users)
    CheckpointStore(settings.checkpoint_dir, kept=3).save([{name: Change(of) for name, of in state.items()}], manifest)


def to_first_update(settings: Settings) -> float:
    """Seconds from the worker's start until a consumer has an update."""
    own = {"INTEREST_APP_ID": f"start-{time.time_ns()}", "INTEREST_MAX_USERS": str(settings.max_users)}
    with consumer_of(settings) as consumer:
        began = time.monotonic()
        folder = settings.checkpoint_dir
        with WorkerProcess(settings.broker, settings.topic_prefix, folder, DEFAULTS | own) as worker:
            record = None
            while record is None and worker.process.poll() is None and time.monotonic() - began < STARTS_WITHIN_S:
                record = consumer.poll(0.05)
            took_s = time.monotonic() - began
            assert record is not None, f"no update came\n{worker.log()[-2_000:]}"
    return took_s


def of_stock_faust(settings: Settings) -> float:
    """Seconds until a stock agent has seen a record."""
    began = time.monotonic()
    with loops.running(loops.stock_faust(settings)) as lines:
        if any(count for _, count in loops.counts(lines)):
            return time.monotonic() - began
    raise RuntimeError("stock Faust ended before it saw a record")


def measure(broker: Kafka, users: int, folder: Path) -> None:
    settings = Settings.load(broker=broker.bootstrap, topic_prefix=f"start-{time.time_ns()}.", max_users=users)
    create_topics(settings)
    with BulkProducer(broker.bootstrap, TopicNames.of(settings)) as producer:
        for record in Shop(users, LIVED.items).records(WAITING, int(time.time() * 1000)):
            producer.send(*record)

    def of_state(name: str) -> Settings:
        return settings.model_copy(update={"checkpoint_dir": folder / name})

    say(f"the cache is warm after {to_first_update(of_state('first')):.1f} s")
    stock = round(of_stock_faust(settings), 2)
    show(Figure("start_empty", round(to_first_update(of_state("empty")), 2), "s", COMMAND, stock, loops.DOES_NOTHING))
    save_users(of_state("large"), users)
    say("the users are saved")
    name = f"start_{users}_users"
    show(Figure(name, round(to_first_update(of_state("large")), 2), "s", COMMAND, stock, loops.DOES_NOTHING))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000_000)
    asked = parser.parse_args()
    broker = start_kafka()
    try:
        with tempfile.TemporaryDirectory() as folder:
            measure(broker, asked.users, Path(folder))
    finally:
        broker.close()


if __name__ == "__main__":
    main()
