"""`kill -9` at random moments: afterwards everything is as if nothing had happened, and the ledger shows it."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

from checkpoints.manifest import Manifest
from stream.settings import Settings
from tests.chaos.conftest import MakeSettings, a_worker
from tests.support.chaos import ROUNDS, chance_of
from tests.support.kafka import Kafka
from tests.support.mixed_log import Feeder, a_mixed_log
from tests.support.proof import InputLog, check_commits_are_in_the_checkpoint, check_everything, check_ledgers
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProcess

KILLS = 5 * ROUNDS
RECORDS = min(100_000, 15_000 * ROUNDS)
RATE = 300  # records a second: the log goes on growing while workers die

Moment = Callable[[WorkerProcess, Settings, random.Random], None]


def files_of(settings: Settings) -> set[str]:
    """Names and sizes of what lies in the checkpoints directory."""
    found = set()
    for folder, _, names in os.walk(settings.checkpoint_dir):  # passes over folders that go while it looks
        found.add(folder)
        for name in names:
            try:
                found.add(f"{folder}/{name} {Path(folder, name).stat().st_size}")
            except FileNotFoundError:
                continue  # it went while we looked
    return found


def while_it_restores(worker: WorkerProcess, settings: Settings, chance: random.Random) -> None:
    time.sleep(chance.uniform(1, 5))


def while_it_emits(worker: WorkerProcess, settings: Settings, chance: random.Random) -> None:
    before = worker.status.updates
    worker.wait_for(lambda s: s.updates > before, "it emits")
    time.sleep(chance.uniform(0, 0.3))


def while_it_writes_a_checkpoint(worker: WorkerProcess, settings: Settings, chance: random.Random) -> None:
    worker.wait_for(lambda s: s.state == "running", "it runs")
    before = files_of(settings)
    wait_until(lambda: files_of(settings) != before, 30, "a checkpoint to begin")
    time.sleep(chance.uniform(0, 0.05))


def between_checkpoint_and_commit(worker: WorkerProcess, settings: Settings, chance: random.Random) -> None:
    worker.wait_for(lambda s: s.state == "running", "it runs")
    before = worker.log().count("checkpoint ")
    wait_until(lambda: worker.log().count("checkpoint ") > before, 30, "a checkpoint to end")


def at_any_time(worker: WorkerProcess, settings: Settings, chance: random.Random) -> None:
    worker.wait_for(lambda s: s.state == "running", "it runs")
    time.sleep(chance.uniform(0, 2))


MOMENTS: list[Moment] = [
    while_it_emits,
    while_it_writes_a_checkpoint,
    while_it_restores,
    between_checkpoint_and_commit,
    at_any_time,
]


def kill_often(settings: Settings, chance: random.Random) -> list[Manifest]:
    """Start a worker and kill it, `KILLS` times, each moment equally often; returns what each has left behind."""
    moments = MOMENTS * ROUNDS
    chance.shuffle(moments)
    left = []
    for moment in moments:
        with a_worker(settings) as worker:
            moment(worker, settings, chance)
            print(f"killed {moment.__name__} with {worker.status.records} records")
            worker.kill()
        if manifest := check_commits_are_in_the_checkpoint(settings):
            left.append(manifest)
    return left


def test_state_and_output_are_exact_after_kills_at_random_moments(
    kafka: Kafka, settings_on: MakeSettings, tmp_path: Path
):
    chance = chance_of("kill")
    settings = settings_on(kafka, tmp_path)
    entries = a_mixed_log(RECORDS, chance)

    with Feeder(settings, entries, RATE) as feeder:
        manifests = kill_often(settings, chance)
    with a_worker(settings) as last:
        last.wait_for(lambda s: s.records == RECORDS, "all records are through")
        assert last.stop() == 0

    log = InputLog.read(settings)
    assert feeder.failures == []
    assert log.fates() == {fate: sum(e.fate == fate for e in entries) for fate in log.fates()}
    check_ledgers(manifests, log)
    check_everything(settings, log)
