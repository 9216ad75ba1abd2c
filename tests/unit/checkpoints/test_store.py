import shutil
import subprocess
import threading
import tracemalloc
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from checkpoints.lease import LeaseLostError
from checkpoints.manifest import MANIFEST_VERSION, Manifest, from_json, to_json
from checkpoints.merging import COMMAND
from checkpoints.segments import CorruptSegmentError
from checkpoints.store import LONGEST_CHAIN, CheckpointStore
from tests.support.full_disk import small_disk


@dataclass(frozen=True)
class AChange:
    values: Any
    rows: Any = None
    length: int = 0


WHOLE = {
    "windows/slots": AChange(np.arange(6, dtype=np.int32).reshape(2, 3)),
    "windows/values": AChange(np.array([0.5], np.float16)),
    "admission/ids": AChange(np.array([2**64 - 1], np.uint64)),
    "flags": AChange(np.array([True, False])),
    "nothing": AChange(np.zeros((0, 3), np.int8)),
    "scalar": AChange(np.array(7, np.int64)),
    "keys": AChange([b"ann", b"", "böb".encode()]),
    "no keys": AChange([]),
}


def a_manifest(model_step: int = 3, num_erasures: int = 0, incarnation: int = 0) -> Manifest:
    ledger = {"clicks": {"records": 5, "hash_sum": 2**64 - 1}}
    offsets, fingerprint = {"clicks": {0: 5, 11: 2}}, {"dim": 64, "topics": ["a"]}
    return Manifest(MANIFEST_VERSION, 1, model_step, offsets, ledger, fingerprint, incarnation, num_erasures)


def row(index: int, value: int, length: int = 4) -> dict[str, AChange]:
    """One row of an array of two columns changes."""
    return {"rows": AChange(np.full((1, 2), value), np.array([index]), length)}


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path, kept=2)


def reopened(directory: Path) -> CheckpointStore:
    return CheckpointStore(directory, kept=2)


def rows_of(store: CheckpointStore, number: int | None = None) -> list[int]:
    restored = store.restore(number)
    assert restored is not None
    rows = restored.state["rows"]
    assert isinstance(rows, np.ndarray)
    return rows[:, 0].tolist()


def damage(directory: Path, number: int) -> None:
    """Flip a bit in the middle of the largest file of a checkpoint."""
    largest = max((directory / str(number)).rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)


def test_a_checkpoint_comes_back_bit_for_bit(store):
    store.save([WHOLE], a_manifest())

    restored = store.restore()

    assert restored.state.keys() == WHOLE.keys()
    for name, change in WHOLE.items():
        value = restored.state[name]
        if isinstance(change.values, list):
            assert value == change.values
        else:
            assert (value.dtype, value.shape) == (change.values.dtype, change.values.shape)
            assert value.tobytes() == change.values.tobytes()
    assert restored.manifest == a_manifest()


def test_each_checkpoint_is_what_was_before_and_what_changed(store):
    first = store.save([row(0, 1)], a_manifest())
    second = store.save([row(2, 5), row(2, 6)], a_manifest())

    assert rows_of(store, second) == [1, 0, 6, 0]
    assert rows_of(store, first) == [1, 0, 0, 0]


def test_what_is_written_grows_with_what_changed_and_not_with_the_state(store):
    whole = {"rows": AChange(np.ones((100_000, 2)), np.arange(100_000), 100_000)}
    first, second = store.save([whole], a_manifest()), store.save([row(2, 5, length=100_000)], a_manifest())

    assert store.num_bytes(second) < store.num_bytes(first) / 1_000


def test_saving_again_and_again_leaves_next_to_nothing_in_memory(store):
    whole = {f"array {i}": AChange(np.full(100, i)) for i in range(100)}
    store.save([whole], a_manifest())
    tracemalloc.start()
    for _ in range(2):
        store.save([whole], a_manifest())
    before, _ = tracemalloc.get_traced_memory()

    for _ in range(10):
        store.save([whole], a_manifest())

    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 10 * 8_192, "bytes of 10 checkpoints; 100 KB each when TensorStore was asked about every array"


def test_a_reopened_store_goes_on(store, tmp_path):
    store.save([row(0, 1)], a_manifest())
    other = reopened(tmp_path)
    other.restore()
    other.save([row(1, 2)], a_manifest())

    assert rows_of(reopened(tmp_path)) == [1, 2, 0, 0]


def test_merged_checkpoints_are_one_that_holds_everything(store, tmp_path):
    store.save([row(0, 1)], a_manifest(1))
    store.save([row(1, 2), {"keys": AChange([b"x"], np.array([1]), 2)}], a_manifest(2))

    store.merge()
    number = store.save([row(2, 3)], a_manifest(3))
    store.save([row(3, 4)], a_manifest(4))  # with two kept, only the merged one and these are left

    assert store.numbers() == [number - 1, number, number + 1]
    restored = reopened(tmp_path).restore()
    assert restored is not None
    assert restored.state["rows"][:, 0].tolist() == [1, 2, 3, 4]  # type: ignore[call-overload]
    assert restored.state["keys"] == [b"", b"x"]


def test_merging_in_another_process_makes_the_same(tmp_path):
    stores = {apart: CheckpointStore(tmp_path / str(apart), kept=2, merges_apart=apart) for apart in (False, True)}
    for store in stores.values():
        store.save([WHOLE, row(0, 1)], a_manifest(1))
        store.save([row(1, 2)], a_manifest(2))
        store.merge()

    here, apart = (store.restore(3) for store in stores.values())

    assert here is not None
    assert apart is not None
    assert here.manifest == apart.manifest == a_manifest(2)
    np.testing.assert_equal(apart.state, here.state)


def test_what_keeps_another_process_from_merging_is_told_and_nothing_is_left_of_it(tmp_path):
    store = CheckpointStore(tmp_path, kept=2, merges_apart=True)
    number = store.save([{"rows": AChange(np.ones((1_000, 2)))}], a_manifest())
    damage(tmp_path, number)

    with pytest.raises(OSError, match=r"segment 2 could not be written: merging ended with 1: .*/1\b"):
        store.merge()
    assert [path.name for path in tmp_path.iterdir()] == [str(number)]


def test_another_process_that_merges_ends_with_the_one_that_wants_it(store, tmp_path):
    number = store.save([WHOLE], a_manifest())
    command = [*COMMAND, str(tmp_path), str(tmp_path / "draft"), str(number + 1), str(number)]
    statuses = []
    for lives in (True, False):
        with subprocess.Popen(command, stdin=subprocess.PIPE) as merging:
            assert merging.stdin is not None
            if not lives:
                merging.stdin.close()  # as the system does when a process dies
            statuses.append(merging.wait(60))
        shutil.rmtree(tmp_path / "draft", ignore_errors=True)

    assert statuses == [0, 1]


def test_saving_while_a_merge_is_under_way_mixes_nothing_up(store, tmp_path):
    big = {"big": AChange(np.random.default_rng(0).random((200_000, 8)))}
    store.save([big], a_manifest())
    merging = threading.Thread(target=store.merge)
    merging.start()
    while merging.is_alive():
        store.save([row(0, 7)], a_manifest())
    store.save([row(1, 8)], a_manifest())

    assert rows_of(reopened(tmp_path)) == [7, 8, 0, 0]


def test_a_long_chain_is_merged_by_itself(store):
    for i in range(LONGEST_CHAIN + 2):
        store.save([row(i % 4, i)], a_manifest())
    before = rows_of(store)

    store.merge_when_due()
    store.wait_for_merge()
    store.save([{}], a_manifest())
    store.save([{}], a_manifest())

    assert len(store.numbers()) == 3
    assert rows_of(store) == before


def test_only_checkpoints_kept_and_what_they_need_remain(store):
    numbers = [store.save([WHOLE], a_manifest(step)) for step in range(4)]

    assert store.numbers() == numbers  # each needs all before it
    assert store.latest() == numbers[-1]


def test_checkpoints_of_before_an_erasure_go_as_soon_as_a_newer_one_holds_everything(store, tmp_path):
    before = [store.save([row(0, 1)], a_manifest()), store.save([row(1, 2)], a_manifest())]
    store.save([row(0, 0)], a_manifest(num_erasures=1))

    store.merge_when_due()
    store.wait_for_merge()
    store.save([row(2, 3)], a_manifest(num_erasures=1))

    assert not set(before) & set(store.numbers())
    assert rows_of(reopened(tmp_path)) == [0, 2, 3, 0]


def test_checkpoints_of_before_an_erasure_stay_until_a_newer_one_holds_everything(store):
    before = store.save([row(0, 1)], a_manifest())
    store.save([row(0, 0)], a_manifest(num_erasures=1))

    assert before in store.numbers()
    assert rows_of(store) == [0, 0, 0, 0]


def test_a_store_is_at_rest_once_nothing_is_left_to_be_merged_or_taken_by_an_erasure(store):
    assert not store.is_at_rest(), "there is no checkpoint"
    store.save([WHOLE], a_manifest())
    assert store.is_at_rest()

    store.save([row(0, 0)], a_manifest(num_erasures=1))
    assert not store.is_at_rest(), "the first one still holds what was erased"
    store.merge()
    assert not store.is_at_rest(), "it still does, and the next one to be saved lets it go"
    store.save([], a_manifest(num_erasures=1))
    assert store.is_at_rest()


def test_a_manifest_tells_whether_anything_happened_since_another():
    now = msgspec.structs.replace(a_manifest(model_step=3), saved_at_ms=2_000)
    assert now.is_of_same_state(msgspec.structs.replace(now, saved_at_ms=1_000))
    assert not now.is_of_same_state(a_manifest(model_step=4))


def test_what_only_a_merge_took_the_place_of_is_no_checkpoint_of_its_own(store):
    store.save([row(0, 1)], a_manifest())
    store.merge()
    newest = [store.save([row(1, i)], a_manifest()) for i in range(3)][-1]

    assert store.only_parts() == set()
    assert set(store.verify(store.numbers()).values()) == {""}
    assert store.verify([newest]) == {newest: ""}


def test_a_process_that_was_replaced_while_it_wrote_publishes_nothing(tmp_path):
    lost = threading.Event()

    def confirm() -> None:
        if lost.is_set():
            raise LeaseLostError

    store = CheckpointStore(tmp_path, 2, confirm)
    number = store.save([row(0, 1)], a_manifest())
    lost.set()

    with pytest.raises(LeaseLostError):
        store.save([row(1, 2)], a_manifest())
    with pytest.raises(LeaseLostError):
        store.merge()
    assert [path.name for path in tmp_path.iterdir()] == [str(number)]


def test_a_process_that_slept_right_before_it_publishes_finds_nothing_to_publish(tmp_path):
    successor = CheckpointStore(tmp_path, kept=2)
    store = CheckpointStore(tmp_path, 2, successor.clear_unfinished)

    with pytest.raises(OSError, match="could not be written"):
        store.save([row(1, 2)], a_manifest())
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_was_replaced_while_it_wrote_leaves_what_its_successor_writes_alone(tmp_path):
    def confirm() -> None:
        raise LeaseLostError

    def wake() -> None:
        with pytest.raises(LeaseLostError):
            slept.save([row(0, 1)], a_manifest())

    slept = CheckpointStore(tmp_path, 2, confirm)
    successor = CheckpointStore(tmp_path, 2, wake)  # is about to publish under the same number

    number = successor.save([row(1, 2)], a_manifest())

    assert rows_of(reopened(tmp_path), number) == [0, 2, 0, 0]


def test_the_newest_incarnation_is_known_from_the_checkpoints(store):
    store.save([row(0, 1)], a_manifest(incarnation=7))

    assert store.newest_incarnation() == 7


def test_a_full_disk_is_one_error_that_leaves_nothing(tmp_path, caplog, capfd):
    with small_disk(tmp_path / "disk") as disk:
        store = CheckpointStore(disk.directory / "checkpoints", kept=2)
        store.save([row(0, 1)], a_manifest())
        with disk.full(), pytest.raises(OSError, match="segment 2 could not be written"):
            store.save([{"big": AChange(np.random.default_rng(0).random(1_000_000))}], a_manifest())
        assert [path.name for path in (disk.directory / "checkpoints").iterdir()] == ["1"]
        assert store.save([row(1, 2)], a_manifest()) == 3
    assert caplog.text == capfd.readouterr().err == ""


def test_an_empty_directory_has_no_checkpoint(store):
    assert store.latest() is None
    assert store.restore() is None


@pytest.mark.parametrize("found_by", ["restore", "reopen"])
def test_a_damaged_checkpoint_is_left_out_for_the_one_before(store, tmp_path, caplog, found_by):
    store.save([row(0, 1)], a_manifest())
    number = store.save([{"rows": AChange(np.arange(20_000).reshape(-1, 2), np.arange(10_000), 10_000)}], a_manifest())
    damage(tmp_path, number)

    fresh = reopened(tmp_path) if found_by == "reopen" else store

    assert rows_of(fresh) == [1, 0, 0, 0]
    assert f"checkpoint {number} is damaged" in caplog.text
    assert fresh.save([row(1, 2)], a_manifest()) == number + 1
    assert rows_of(fresh) == [1, 2, 0, 0]


def test_without_an_intact_checkpoint_nothing_is_restored(store, tmp_path):
    number = store.save([{"rows": AChange(np.arange(20_000).reshape(-1, 2))}], a_manifest())
    damage(tmp_path, number)

    with pytest.raises(CorruptSegmentError, match="none of the checkpoints"):
        store.restore()


def test_rollback_makes_an_older_checkpoint_the_newest(store):
    numbers = [store.save([row(0, step)], a_manifest(step)) for step in (1, 2)]

    assert store.rollback(numbers[0]) == [numbers[1]]
    assert rows_of(store) == [1, 0, 0, 0]


def test_what_a_process_that_died_left_is_cleared_by_the_next_owner(store, tmp_path):
    (tmp_path / "7.draft-0").mkdir()
    (tmp_path / "3.deleted").mkdir()

    store.clear_unfinished()

    assert list(tmp_path.iterdir()) == []


def test_a_manifest_of_another_version_is_refused():
    value = to_json(a_manifest()) | {"version": MANIFEST_VERSION + 1}

    with pytest.raises(ValueError, match=f"expected a manifest of version {MANIFEST_VERSION}"):
        from_json(value)
