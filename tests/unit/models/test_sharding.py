"""Table and batch divided over several devices: CPUs that XLA is told to have, in a process that learns with them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.device.sharding import DevicesError
from tests.support.compiling import XLA_FLAGS_OF_FOUR_DEVICES
from tests.unit.models.builders import a_learner

ROOT = Path(__file__).parents[3]
TOLERANCE = 1e-5  # devices add up in another order: 4e-7 after these 100 steps, 6 units in the last place of float32

Found = dict[str, Any]

pytestmark = pytest.mark.xdist_group("devices")  # one process that learns is enough


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """See `tests.support.several_devices`."""
    out = tmp_path_factory.mktemp("devices") / "out.npz"
    environment = {**os.environ, "XLA_FLAGS": XLA_FLAGS_OF_FOUR_DEVICES, "NPROC": "1", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "tests.support.several_devices", str(out)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return dict(np.load(out))


@pytest.mark.parametrize("devices", [2, 4])
def test_several_devices_learn_what_one_learns(found: Found, devices: int):
    for name in ("vectors", "interests"):
        np.testing.assert_allclose(found[f"{devices}/{name}"], found[f"1/{name}"], rtol=0, atol=TOLERANCE)


def test_several_devices_rank_and_recommend_what_one_does(found: Found):
    assert np.abs(found["4/ranks"] - found["1/ranks"]).max() <= 1  # two that are equal but for rounding may swap
    np.testing.assert_allclose(found["4/scores"], found["1/scores"], rtol=0, atol=TOLERANCE)
    assert np.mean(found["4/recommended"] == found["1/recommended"]) > 0.98


@pytest.mark.parametrize("devices", [1, 2, 4])
def test_each_device_has_as_many_rows_of_the_table_and_its_moments_and_all_of_what_is_small(found: Found, devices: int):
    assert found[f"{devices}/devices"].tolist() == list(range(devices))
    rows = {1: [99], 2: [50, 50], 4: [25, 25, 25, 25]}[devices]
    assert found[f"{devices}/rows"].tolist() == rows
    assert found[f"{devices}/moments"].tolist() == [rows[0]] * 2
    assert found[f"{devices}/is_whole"]


@pytest.mark.parametrize("devices", [2, 4])
def test_rows_that_only_make_the_table_divide_evenly_stay_zero(found: Found, devices: int):
    assert not found[f"{devices}/last_row"].any()


@pytest.mark.parametrize("devices", [1, 2, 4])
def test_a_step_writes_into_the_table_it_is_given(found: Found, devices: int):
    assert found[f"{devices}/is_donated"]


def test_several_devices_compile_nothing_after_the_start(found: Found):
    assert found["4/num_compiled"] == 0
    assert found["1/num_compiled"] > 0  # which was not told to compile before: so they are counted


@pytest.mark.parametrize("way", ["4 to 1", "1 to 4", "4 to 2"])
def test_a_checkpoint_is_read_with_any_number_of_devices(found: Found, way: str):
    assert found[f"{way}/num_different"] == 0
    assert found[f"{way}/difference"] < TOLERANCE


def test_more_devices_than_there_are_is_one_sentence_that_says_how_many_there_are():
    with pytest.raises(
        DevicesError, match=r"num_devices=99: expected .* on this host, got \d+ \(.*\); set num_devices"
    ):
        a_learner(num_devices=99)
