"""A disk that is full, and a disk that lies: the last good checkpoint stays, and nothing is committed beyond it."""

import re
from collections.abc import Callable
from pathlib import Path

from stream.settings import Settings
from tests.chaos.conftest import MakeSettings, a_worker
from tests.support.chaos import chance_of
from tests.support.full_disk import small_disk
from tests.support.kafka import Kafka
from tests.support.mixed_log import Feeder, a_mixed_log
from tests.support.proof import InputLog, check_everything, committed
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProcess

RECORDS = 3_000
RATE = 300


def test_a_worker_with_a_full_disk_goes_on_commits_nothing_and_recovers(
    kafka: Kafka, settings_on: MakeSettings, tmp_path: Path
):
    entries = a_mixed_log(RECORDS, chance_of("full disk"))
    with small_disk(tmp_path / "disk") as disk:
        settings = settings_on(kafka, disk.directory / "checkpoints")
        with a_worker(settings) as worker:
            with Feeder(settings, entries[: RECORDS // 2], RATE):
                worker.wait_for(lambda s: s.records > 0, "the first records are through")
            with disk.full():
                wait_until(lambda: "checkpoint not written" in worker.log(), 30, "it says that the disk is full")
                before = committed(settings)
                with Feeder(settings, entries[RECORDS // 2 :], RATE):
                    worker.wait_for(lambda s: s.records == RECORDS, "it goes on")
                assert committed(settings) == before
            num_saved = worker.log().count(" checkpoint ")
            wait_until(lambda: worker.log().count(" checkpoint ") > num_saved, 30, "it saves again")
            assert worker.stop() == 0
        check_everything(settings, InputLog.read(settings))


def read_until(worker: WorkerProcess, records: int) -> None:
    worker.wait_for(lambda s: s.records == records, f"{records} records are through")


def newest_of(settings: Settings) -> Path:
    """The folder of the newest checkpoint."""
    return max((path for path in settings.checkpoint_dir.iterdir() if path.name.isdigit()), key=lambda p: int(p.name))


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def tear(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def damage(settings: Settings, how: Callable[[Path], None]) -> int:
    """Damage the largest file of the newest checkpoint; returns its number."""
    newest = newest_of(settings)
    how(max((path for path in newest.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size))
    return int(newest.name)


def test_a_damaged_checkpoint_is_noticed_and_the_one_before_is_used(
    kafka: Kafka, settings_on: MakeSettings, tmp_path: Path
):
    chance = chance_of("damaged")
    settings = settings_on(kafka, tmp_path)
    entries = a_mixed_log(RECORDS, chance)
    half = RECORDS // 2
    with Feeder(settings, entries[:half], RATE), a_worker(settings) as worker:
        read_until(worker, half)
        assert worker.stop() == 0

    damaged = damage(settings, chance.choice((flip_a_bit, tear)))
    with Feeder(settings, entries[half:], RATE), a_worker(settings) as worker:
        read_until(worker, RECORDS)
        (used,) = re.findall(r"restored checkpoint (\d+)", worker.log())
        assert int(used) < damaged
        assert re.search(rf"WARNING .*checkpoint {damaged}\b", worker.log())
        assert worker.stop() == 0

    check_everything(settings, InputLog.read(settings))
