import signal
import subprocess
import sys

import pytest

from checkpoints.lease import DirectoryInUseError, DirectoryLease, LeaseLostError, OwnerWatch, take

LEASE_S = 10.0


class AClock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def an_owner(tmp_path, end: str) -> subprocess.Popen[bytes]:
    """Another process that owns the directory, and says so."""
    code = (
        "import sys, os, time, pathlib; from checkpoints.lease import take\n"
        f"lease = take(pathlib.Path(sys.argv[1]), 0.5); print('mine', flush=True); {end}"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"mine\n"
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def test_a_second_owner_is_kept_out_until_the_first_leaves(tmp_path):
    first = take(tmp_path)
    with pytest.raises(DirectoryInUseError):
        take(tmp_path)

    first.release()

    take(tmp_path).release()


def test_every_owner_has_a_higher_number_than_the_one_before(tmp_path):
    incarnations = []
    for _ in range(3):
        with take(tmp_path / "new") as lease:
            incarnations.append(lease.incarnation)

    assert incarnations == [1, 2, 3]


def test_an_owner_that_is_killed_leaves_the_directory_free_at_once(tmp_path):
    end(an_owner(tmp_path, "os.abort()"))

    with take(tmp_path) as lease:
        assert lease.incarnation == 2


def test_of_two_that_take_over_from_the_same_owner_one_succeeds(tmp_path):
    with DirectoryLease(tmp_path, after=7), pytest.raises(DirectoryInUseError):
        DirectoryLease(tmp_path, after=7)


def test_an_owner_that_is_stopped_is_replaced_when_its_heartbeat_is_older_than_the_lease(tmp_path):
    stopped = an_owner(tmp_path, "time.sleep(60)")
    stopped.send_signal(signal.SIGSTOP)
    watch = OwnerWatch(tmp_path, LEASE_S)
    try:
        assert watch.vacant_after(0.0) is None
        assert watch.vacant_after(LEASE_S - 0.01) is None
        assert watch.vacant_after(LEASE_S) == 1
    finally:
        end(stopped)


def test_an_owner_that_beats_is_never_replaced(tmp_path):
    watch = OwnerWatch(tmp_path, LEASE_S)
    with DirectoryLease(tmp_path, after=0) as lease:
        for now_s in (0.0, 9.0, 18.0, 27.0):
            assert watch.vacant_after(now_s) is None
            lease.renew()


def test_an_owner_notices_its_successor_before_it_writes_once_its_lease_may_have_run_out(tmp_path):
    clock = AClock()
    sentences: list[str] = []
    zombie = DirectoryLease(tmp_path, after=0, lease_s=LEASE_S, on_lost=sentences.append, clock=clock)
    with DirectoryLease(tmp_path, after=1):
        zombie.check()
        clock.now_s = LEASE_S
        with pytest.raises(LeaseLostError, match="worker 2 has taken over"):
            zombie.check()
    zombie.release()

    assert len(sentences) == 1
    assert [path.name for path in (tmp_path / "owners").iterdir()] == ["2"]


def test_an_owner_that_slept_without_a_successor_goes_on(tmp_path):
    clock = AClock()
    with DirectoryLease(tmp_path, after=0, lease_s=LEASE_S, clock=clock) as lease:
        clock.now_s = 10 * LEASE_S
        lease.check()
