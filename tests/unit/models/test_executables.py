"""Compiled functions that are kept between processes; here a new `Executables` stands for a new process."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from models.config import ModelConfig
from models.device import executables, runtime
from models.device.executables import PREFIX, Executables
from models.network.optimiser import AdamState
from tests.support.compiling import XLA_FLAGS_OF_FOUR_DEVICES

STATE = AdamState({"b": jnp.zeros(3), "a": jnp.ones((2, 3))}, None, {})


class Adding:
    """A function of a state and some rows that counts how often it is traced."""

    def __init__(self, file: Path) -> None:
        self.num_traced = 0
        self.file = file
        self.executables = Executables()
        self.add = self.executables.function("add", jax.jit(self._add, donate_argnums=(0,)))

    def _add(self, state: AdamState, rows: Any) -> tuple[AdamState, jax.Array]:
        self.num_traced += 1
        order = jnp.argsort(rows)
        return state._replace(params={name: part + rows.sum() for name, part in state.params.items()}), rows[order]

    def compile(self, *sizes: int) -> "Adding":
        """With so many rows each."""
        with self.executables.kept(self.file):
            for size in sizes:
                self.add(_copy(STATE), np.arange(size, dtype=np.float32)[::-1])
        return self


def _copy(state: AdamState) -> AdamState:
    return jax.tree.map(jnp.copy, state)


def test_a_second_process_traces_nothing_and_gets_the_same(tmp_path: Path) -> None:
    first = Adding(tmp_path / "kept").compile(4, 8)
    second = Adding(tmp_path / "kept").compile(4, 8)
    rows = np.array([3, 1, 4, 1], np.float32)
    after, others = second.add(_copy(STATE), rows), first.add(_copy(STATE), rows)
    assert (first.num_traced, second.num_traced) == (2, 0)
    assert repr(jax.tree.structure(after)) == repr(jax.tree.structure(others))
    assert all(np.array_equal(*pair) for pair in zip(jax.tree.leaves(after), jax.tree.leaves(others), strict=True))


def test_what_was_kept_still_takes_what_it_was_given(tmp_path: Path) -> None:
    Adding(tmp_path / "kept").compile(4)
    state = _copy(STATE)
    Adding(tmp_path / "kept").compile(4).add(state, np.zeros(4, np.float32))
    assert all(part.is_deleted() for part in state.params.values())


def test_what_is_missing_is_compiled_and_kept_beside_the_rest(tmp_path: Path) -> None:
    Adding(tmp_path / "kept").compile(4)
    assert Adding(tmp_path / "kept").compile(4, 8).num_traced == 1
    assert Adding(tmp_path / "kept").compile(4, 8).num_traced == 0


def test_shapes_that_come_later_are_compiled_and_not_kept(tmp_path: Path) -> None:
    adding = Adding(tmp_path / "kept").compile(4)
    adding.add(_copy(STATE), np.zeros(8, np.float32))
    assert adding.num_traced == 2
    assert Adding(tmp_path / "kept").compile(4, 8).num_traced == 1


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty"])
def test_a_damaged_file_is_one_warning_and_written_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    file = tmp_path / "kept"
    Adding(file).compile(4, 8)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    kept = {"flipped": len(content), "cut": len(content) // 2, "empty": 0}[damage]
    file.write_bytes(bytes(content[:kept]))
    with caplog.at_level(logging.WARNING):
        assert Adding(file).compile(4, 8).num_traced == 2
    assert [record.getMessage().split(",")[0] for record in caplog.records] == ["compiling anew"]
    assert Adding(file).compile(4, 8).num_traced == 0


def test_what_cannot_be_loaded_is_compiled_anew_and_kept_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise ValueError("of another XLA")

    file = tmp_path / "kept"
    Adding(file).compile(4)
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(executables, "deserialize_and_load", refuse)
        adding = Adding(file).compile(4)
    adding.add(_copy(STATE), np.zeros(4, np.float32))
    assert adding.num_traced == 1
    assert [record.getMessage().split(",")[0] for record in caplog.records] == ["compiling add anew"]
    assert Adding(file).compile(4).num_traced == 0


def test_what_jax_cannot_write_down_is_compiled_at_each_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(compiled: jax.stages.Compiled) -> None:
        raise NotImplementedError("constants")

    monkeypatch.setattr(executables, "serialize", refuse)
    with caplog.at_level(logging.WARNING):
        assert [Adding(tmp_path / "kept").compile(4).num_traced for _ in range(2)] == [1, 1]
    assert "compiles add anew" in caplog.text


def test_a_file_with_which_a_start_fails_is_gone_at_the_next(tmp_path: Path) -> None:
    file = tmp_path / "kept"
    Adding(file).compile(4)
    with pytest.raises(RuntimeError), Executables().kept(file):
        raise RuntimeError
    assert not file.exists()


def test_a_host_with_several_devices_keeps_what_runs_on_one(tmp_path: Path) -> None:
    test = f"{__file__}::{test_a_second_process_traces_nothing_and_gets_the_same.__name__}"
    several = os.environ | {"XLA_FLAGS": XLA_FLAGS_OF_FOUR_DEVICES}
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test], env=several, check=True)


def test_where_nothing_can_be_written_it_works_all_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert Adding(tmp_path / "missing" / "kept").compile(4).num_traced == 1
    assert "the next start compiles anew" in caplog.text


def test_only_the_files_that_were_used_last_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executables, "KEPT_FILES", 2)
    for name in "abc":
        Adding(tmp_path / f"{PREFIX}{name}").compile(4)
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"{PREFIX}b", f"{PREFIX}c"]


def test_another_model_has_another_file_and_an_equal_one_the_same(tmp_path: Path) -> None:
    files = [runtime.executables_file(tmp_path, ModelConfig(max_items=items)) for items in (100, 100, 200)]
    assert files[0] == files[1] != files[2]


def test_another_version_of_jax_has_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = runtime.executables_file(tmp_path, ModelConfig())
    monkeypatch.setattr(runtime, "version", lambda package: "0.0")
    assert runtime.executables_file(tmp_path, ModelConfig()) != before
