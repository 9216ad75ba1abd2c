"""Packed keys: what they refuse, and what remains of those that leave."""

import numpy as np
import pytest

from models.items.keys import MAX_KEY_BYTES, RESERVED_BYTES, PackedKeys


def slots(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


@pytest.mark.parametrize("key", ["", "x" * (MAX_KEY_BYTES + 1)])
def test_a_key_that_does_not_fit_is_not_here_and_is_refused(key):
    keys = PackedKeys(3)

    assert keys.get(key) == 0
    with pytest.raises(ValueError, match="expected keys of 1 to 256 bytes"):
        keys.put([key.encode()], slots(1))


def test_nothing_remains_of_a_key_that_leaves():
    keys = PackedKeys(3)
    keys.put([b"a secret name"], slots(1))
    keys.drop(slots(1))

    assert b"secret" not in keys._packed.bytes.tobytes()
    assert (keys.key_of(1), keys.get("a secret name"), len(keys)) == (None, 0, 0)


def test_a_key_takes_the_room_of_one_of_its_length_that_left():
    keys = PackedKeys(3)
    keys.put([b"1234567", b"x"], slots(1, 2))
    taken = keys._packed.counts[0]
    for _ in range(100):
        keys.drop(slots(1))
        keys.put([b"7654321"], slots(1))

    assert keys._packed.counts[0] == taken
    assert (keys.key_of(1), keys.key_of(2)) == ("7654321", "x")


def test_keys_that_are_longer_than_expected_get_more_room():
    keys, end = PackedKeys(100), 100
    longest = [f"{number:03}".encode() * 85 for number in range(1, end)]
    assert sum(map(len, longest)) > end * RESERVED_BYTES

    keys.put(longest[:50], np.arange(1, 51, dtype=np.int32))
    keys.put(longest[50:], np.arange(51, end, dtype=np.int32))

    assert keys.encoded(np.arange(1, end)) == longest
    assert keys.find([key.decode() for key in longest]).tolist() == list(range(1, end))
