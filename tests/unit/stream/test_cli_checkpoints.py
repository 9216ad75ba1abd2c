"""`interest-stream checkpoints` on a directory that no worker uses, and on one that a worker does."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result

from checkpoints.lease import DirectoryLease
from checkpoints.manifest import MANIFEST_VERSION, Manifest
from checkpoints.store import CheckpointStore
from models.saving import Change
from stream.cli import commands


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """With checkpoints 1, 2 and 3, of model steps 10, 20 and 30."""
    store = CheckpointStore(tmp_path, kept=3)
    for step in (10, 20, 30):
        ledger = {"clicks": {"records": step, "admitted": step}}
        manifest = Manifest(MANIFEST_VERSION, 0, step, {"clicks": {0: step}}, ledger, {"dim": 64})
        store.save([{"x": Change(np.array([step]))}], manifest)
    return tmp_path


def call(directory: Path, *arguments: str) -> Result:
    return CliRunner().invoke(commands, ["checkpoints", *arguments, "--checkpoint-dir", str(directory)])


def test_list_has_a_line_for_each(directory):
    lines = [msgspec.json.decode(line) for line in call(directory, "list", "--json").output.splitlines()]

    assert [(line["checkpoint"], line["model_step"]) for line in lines] == [(1, 10), (2, 20), (3, 30)]


@pytest.mark.parametrize(("which", "step"), [("latest", 30), ("2", 20)])
def test_show_prints_all_about_one(directory, which, step):
    about = msgspec.json.decode(call(directory, "show", which, "--json").output)

    assert about["model_step"] == step
    assert about["next_offsets"] == {"clicks": {"0": step}}
    assert about["ledger"]["clicks"]["admitted"] == step
    assert about["fingerprint"] == {"dim": 64}
    assert about["bytes"] > 0


def test_rollback_makes_an_older_one_the_newest(directory):
    assert call(directory, "rollback", "1").exit_code == 0

    assert msgspec.json.decode(call(directory, "show", "--json").output)["model_step"] == 10


def test_rollback_is_refused_while_a_worker_owns_the_directory(directory):
    with DirectoryLease(directory, after=0):
        result = call(directory, "rollback", "1")

    assert result.exit_code == 2
    assert "a worker uses the checkpoints" in result.output
    assert CheckpointStore(directory, kept=3).latest() == 3


@pytest.mark.parametrize("arguments", [("show", "7"), ("show", "x"), ("rollback", "7")])
def test_a_checkpoint_that_is_not_there_is_one_sentence(directory, arguments):
    result = call(directory, *arguments)

    assert result.exit_code == 2
    assert "there are 1, 2, 3" in result.output


def test_verify_prints_the_ledger_of_each_that_is_intact(directory):
    result = call(directory, "verify", "--json")
    lines = [msgspec.json.decode(line) for line in result.output.splitlines()]

    assert result.exit_code == 0
    assert [(line["checkpoint"], line["ledger"]["clicks"]["records"]) for line in lines] == [(1, 10), (2, 20), (3, 30)]


def test_verify_fails_where_a_part_is_damaged_and_says_for_which_checkpoints(directory):
    largest = max((directory / "2" / "arrays").rglob("*"), key=lambda path: path.is_file() and path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)

    result = call(directory, "verify", "--json")
    lines = [msgspec.json.decode(line) for line in result.output.splitlines()]

    assert result.exit_code == 1
    assert [line["intact"] for line in lines] == [True, False, False]
    assert "2" in lines[2]["wrong"]


def test_verify_fails_where_a_part_is_missing(directory):
    shutil.rmtree(directory / "2")

    result = call(directory, "verify")

    assert result.exit_code == 1
    assert "3  damaged" in result.output
