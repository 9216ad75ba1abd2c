import os
import subprocess
import sys

import pytest

from checkpoints.lock import DirectoryInUseError, DirectoryLock


def test_a_second_owner_is_kept_out_until_the_first_leaves(tmp_path):
    first = DirectoryLock(tmp_path)
    with pytest.raises(DirectoryInUseError):
        DirectoryLock(tmp_path)

    first.release()

    DirectoryLock(tmp_path).release()


def test_every_owner_has_a_higher_number_than_the_one_before(tmp_path):
    incarnations = []
    for _ in range(3):
        with DirectoryLock(tmp_path / "new") as lock:
            incarnations.append(lock.incarnation)

    assert incarnations == [1, 2, 3]


def test_an_owner_that_is_killed_leaves_the_directory_free(tmp_path):
    code = "import sys, pathlib, os, checkpoints.lock as l; l.DirectoryLock(pathlib.Path(sys.argv[1])); os.abort()"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, env=os.environ)

    with DirectoryLock(tmp_path) as lock:
        assert lock.incarnation == 2
