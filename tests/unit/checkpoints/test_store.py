import numpy as np
import pytest

from checkpoints.manifest import MANIFEST_VERSION, Manifest, from_json, to_json
from checkpoints.store import Array, CheckpointStore

STATE: dict[str, Array] = {
    "users/blob": np.frombuffer(b"ann", np.uint8),
    "windows/slots": np.arange(6, dtype=np.int32).reshape(2, 3),
    "windows/values": np.array([0.5], np.float16),
    "admission/ids": np.array([2**64 - 1], np.uint64),
    "flags": np.array([True, False]),
    "nothing": np.zeros((0, 3), np.int8),
    "scalar": np.array(7, np.int64),
}


def a_manifest(model_step: int = 3) -> Manifest:
    ledger = {"clicks": {"records": 5, "hash_sum": 2**64 - 1}}
    return Manifest(
        MANIFEST_VERSION, 1, model_step, {"clicks": {0: 5, 11: 2}}, ledger, {"dim": 64, "topics": ["a", "b"]}
    )


@pytest.fixture
def store(tmp_path):
    store = CheckpointStore(tmp_path, kept=2)
    yield store
    store.close()


def test_a_checkpoint_comes_back_bit_for_bit(store):
    number = store.save(STATE, a_manifest())

    state = store.state(number)

    assert state.keys() == STATE.keys()
    for name, array in STATE.items():
        assert isinstance(state[name], np.ndarray)
        assert (state[name].dtype, state[name].shape) == (array.dtype, array.shape)
        assert state[name].tobytes() == array.tobytes()


def test_the_manifest_is_readable_without_the_arrays(store):
    assert store.manifest(store.save(STATE, a_manifest())) == a_manifest()


def test_only_the_newest_checkpoints_are_kept(store):
    numbers = [store.save(STATE, a_manifest(step)) for step in range(4)]

    assert store.latest() == numbers[-1]
    assert [store.manifest(number).model_step for number in numbers[-2:]] == [2, 3]
    with pytest.raises(FileNotFoundError):
        store.manifest(numbers[0])


def test_an_empty_directory_has_no_checkpoint(store):
    assert store.latest() is None


def test_a_manifest_of_another_version_is_refused():
    value = to_json(a_manifest()) | {"version": MANIFEST_VERSION + 1}

    with pytest.raises(ValueError, match=f"expected a manifest of version {MANIFEST_VERSION}"):
        from_json(value)
