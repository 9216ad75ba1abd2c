"""A worker or a broker that stands still or dies under load: the sums are right in the end."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stream.endings import EXIT_ENDED_ITSELF
from stream.settings import Settings
from tests.chaos.conftest import MakeSettings, a_worker
from tests.support.chaos import ROUNDS, chance_of
from tests.support.freezing import frozen, frozen_broker
from tests.support.kafka import Kafka
from tests.support.mixed_log import Feeder, a_mixed_log
from tests.support.proof import InputLog, check_everything
from tests.support.worker import WorkerProcess

RECORDS = 3_000 * ROUNDS
RATE = 250
LONGER_THAN_THE_SESSION_S = 8  # the session lasts 6 s
MAY_GROW_BY_MB = 150
ANSWERS_LATE_BY_S = 0.5


def resident_mb(worker: WorkerProcess) -> float:
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def stop_while_frozen(worker: WorkerProcess) -> int:
    """It wakes up, hears that its group has let it go and that it shall end, and has a checkpoint to commit."""
    with frozen(worker.process.pid):
        time.sleep(LONGER_THAN_THE_SESSION_S)
        worker.process.terminate()
    return worker.stop()


def finish(
    worker: WorkerProcess, settings: Settings, records: int, stop: Callable[[WorkerProcess], int] = WorkerProcess.stop
) -> None:
    """Wait until all records are read, by this worker or, where it has given up, by the one after it."""
    try:
        worker.wait_for(lambda s: s.records == records, "all records are through")
    except AssertionError:
        assert worker.process.returncode not in (0, None)
        print(f"it gave up with {worker.process.returncode}; another goes on")
        with a_worker(settings) as other:
            finish(other, settings, records)
        return
    assert stop(worker) == 0


def test_a_worker_that_was_frozen_for_longer_than_its_session_loses_nothing(
    kafka: Kafka, settings_on: MakeSettings, tmp_path: Path
):
    chance = chance_of("frozen worker")
    settings = settings_on(kafka, tmp_path)
    with Feeder(settings, a_mixed_log(RECORDS, chance), RATE), a_worker(settings) as worker:
        worker.wait_for(lambda s: s.updates > 0, "it emits")
        for _ in range(ROUNDS):
            time.sleep(chance.uniform(0, 1))
            with frozen(worker.process.pid):
                time.sleep(LONGER_THAN_THE_SESSION_S)
        finish(worker, settings, RECORDS)

    check_everything(settings, InputLog.read(settings))


def test_a_worker_that_wakes_up_after_another_took_over_writes_nothing(
    kafka: Kafka, settings_on: MakeSettings, tmp_path: Path
):
    settings = settings_on(kafka, tmp_path)
    entries = a_mixed_log(RECORDS, chance_of("zombie"))
    with a_worker(settings) as zombie:
        zombie.wait_for(lambda s: s.state == "running", "it has its partitions")
        with a_worker(settings) as heir:
            heir.wait_for(lambda s: s.state == "standby", "it stands by")
            with Feeder(settings, entries, RATE):
                zombie.wait_for(lambda s: s.updates > 0, "it emits")
                with frozen(zombie.process.pid):
                    heir.wait_for(lambda s: s.updates > 0, "it has taken over")
                assert zombie.process.wait(30) != 0
                finish(heir, settings, RECORDS)

    check_everything(settings, InputLog.read(settings))


def kill_and_restart(kafka: Kafka, down_s: float) -> None:
    kafka.kill()
    time.sleep(down_s)
    kafka.restart()


def stand_still(kafka: Kafka, down_s: float) -> None:
    with frozen_broker(kafka):
        time.sleep(down_s)


def answer_late(kafka: Kafka, slow_for_s: float) -> None:
    """Every acknowledgement, fetch and heartbeat comes up to half a second late."""
    slow_until = time.monotonic() + slow_for_s
    while time.monotonic() < slow_until:
        with frozen_broker(kafka):
            time.sleep(ANSWERS_LATE_BY_S)
        time.sleep(ANSWERS_LATE_BY_S / 10)


@pytest.mark.parametrize("break_it", [kill_and_restart, stand_still, answer_late])
def test_a_worker_outlives_its_broker_by_itself_and_within_its_memory(
    breakable_kafka: Kafka, settings_on: MakeSettings, tmp_path: Path, break_it
):
    chance = chance_of(break_it.__name__)
    settings = settings_on(breakable_kafka, tmp_path)
    feeder = Feeder(settings, a_mixed_log(RECORDS, chance), RATE)
    with feeder, a_worker(settings) as worker:
        worker.wait_for(lambda s: s.updates > 0, "it emits")
        before_mb = resident_mb(worker)
        for _ in range(ROUNDS):
            time.sleep(chance.uniform(0, 1))
            break_it(breakable_kafka, chance.uniform(2, 10))
        worker.wait_for(lambda s: s.records == RECORDS, "all records are through")
        grown_mb = resident_mb(worker) - before_mb
        assert worker.stop() == 0

    print(f"resident memory grew by {grown_mb:.0f} MB")
    assert grown_mb < MAY_GROW_BY_MB
    assert feeder.failures == []
    check_everything(settings, InputLog.read(settings))


def test_a_worker_that_is_told_to_stop_while_its_broker_stands_still_ends_in_time_and_loses_nothing(
    breakable_kafka: Kafka, settings_on: MakeSettings, tmp_path: Path
):
    settings = settings_on(breakable_kafka, tmp_path)
    with Feeder(settings, a_mixed_log(RECORDS, chance_of("stop without a broker")), RATE):
        with a_worker(settings) as worker:
            worker.wait_for(lambda s: s.updates > 0, "it emits")
            with frozen_broker(breakable_kafka):
                assert worker.stop() == EXIT_ENDED_ITSELF
            assert "goes on from the newest checkpoint" in worker.log()
        with a_worker(settings) as other:
            finish(other, settings, RECORDS)

    check_everything(settings, InputLog.read(settings))
