"""What replay may change in a window, and what never."""

import numpy as np
import pytest

from models.counting.memory import CountingMemory
from models.inputs.augmentation import AugmentationPolicy, augment
from tests.unit.models.builders import a_config, windows_of

WINDOWS = windows_of(*([5, 6, 7, 8] for _ in range(200)), [0, -1, 5, 6], [9], [])


def augmented(**policy: float) -> np.ndarray:
    memory = CountingMemory(a_config(), 3, 23)
    memory.learn(np.array([[0, 0, 0, 5]], np.int32), np.array([15], np.int32))
    return augment(WINDOWS, AugmentationPolicy(**policy), memory, np.random.default_rng(0)).slots


def test_nothing_asked_nothing_changed():
    assert np.array_equal(augmented(), WINDOWS.slots)


@pytest.mark.parametrize("kind", ["crop", "mask", "reorder", "substitute"])
def test_no_window_becomes_empty_and_no_event_appears(kind):
    after = augmented(**{kind: 1.0})
    assert ((after != 0) <= (WINDOWS.slots != 0)).all()
    assert ((after != 0).any(1) == (WINDOWS.slots != 0).any(1)).all()
    assert not np.array_equal(after, WINDOWS.slots)


def test_cropped_windows_lose_their_oldest():
    after = augmented(crop=1.0)[:200]
    assert {tuple(row) for row in after.tolist()} == {(5, 6, 7, 8), (0, 6, 7, 8), (0, 0, 7, 8), (0, 0, 0, 8)}


def test_masked_windows_keep_their_newest():
    assert augmented(mask=1.0)[:200].tolist() == [[0, 0, 0, 8]] * 200


def test_only_the_newest_three_change_places():
    after = augmented(reorder=1.0)[:200]
    assert (after[:, 0] == 5).all()
    assert {tuple(sorted(row)) for row in after.tolist()} == {(5, 6, 7, 8)}
    assert len({tuple(row) for row in after.tolist()}) == 6


def test_an_item_gives_way_to_what_was_visited_after_it():
    after = augmented(substitute=1.0)
    assert after[0].tolist() == [15, 6, 7, 8]
    assert after[200].tolist() == [0, -1, 15, 6]
