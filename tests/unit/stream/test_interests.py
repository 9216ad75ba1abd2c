import numpy as np
import pytest

from stream.users.interests import EmissionPolicy, InterestState
from tests.support.builders import column

X, Y = [1.0, 0.0], [0.0, 1.0]
HOUR_MS = 3_600_000


def advance(state: InterestState, vector: list[float], time_ms: int, min_distance: float = 0.0):
    policy = EmissionPolicy(long_term_ms=HOUR_MS, min_distance=min_distance)
    return state.advance(column(0), np.array([vector], np.float32), column(time_ms), policy)


def test_a_new_users_long_term_interest_is_the_first_interest():
    interests = advance(InterestState(2), X, 0)

    assert interests.long_term.tolist() == [X]
    assert interests.drift.tolist() == [0.0]


def test_the_long_term_interest_has_gone_two_thirds_of_the_way_after_its_time_constant():
    state = InterestState(2)
    advance(state, X, 0)

    interests = advance(state, Y, HOUR_MS)

    share = 1 - np.exp(-1)
    expected = np.array([1 - share, share]) / np.hypot(1 - share, share)
    assert interests.long_term[0] == pytest.approx(expected, abs=1e-6)
    assert interests.drift[0] == pytest.approx(1 - expected[1], abs=1e-6)


def test_an_event_at_the_same_time_does_not_move_the_long_term_interest():
    state = InterestState(2)
    advance(state, X, 0)

    assert advance(state, Y, 0).long_term.tolist() == [X]


def test_drift_of_an_opposite_interest_is_two():
    state = InterestState(2)
    advance(state, X, 0)

    assert advance(state, [-1.0, 0.0], 0).drift[0] == pytest.approx(2)


def test_an_interest_is_emitted_when_it_moved_since_it_was_last_emitted():
    state = InterestState(2)
    slightly = [float(np.cos(0.2)), float(np.sin(0.2))]  # cosine distance 0.02
    further = [float(np.cos(0.5)), float(np.sin(0.5))]  # 0.12

    emitted = [advance(state, vector, 0, min_distance=0.1).should_emit[0] for vector in (X, slightly, further)]

    assert emitted == [True, False, True]


def test_steps_too_small_for_what_is_kept_add_up():
    state = InterestState(2)
    advance(state, X, 0)

    for time_ms in range(0, HOUR_MS + 1, 1_000):  # each of them is worth 9 units of what is kept at first, 3 at last
        interests = advance(state, Y, time_ms)

    share = 1 - np.exp(-1)
    expected = np.array([1 - share, share]) / np.hypot(1 - share, share)
    assert interests.long_term[0] == pytest.approx(expected, abs=1e-4)


def test_the_long_term_interest_comes_as_near_as_rounding_allows():
    state = InterestState(64)
    near, random = np.random.default_rng(0).normal(size=(2, 64))
    near, random = near / np.linalg.norm(near), random / np.linalg.norm(random)
    advance(state, random.tolist(), 0)

    drifts = [advance(state, near.tolist(), time_ms).drift[0] for time_ms in range(0, 20 * HOUR_MS, 10_000)]

    assert drifts[0] > 0.5
    assert drifts[-1] < 1e-4


def test_a_look_sees_what_was_published_and_changes_nothing():
    state, policy = InterestState(2), EmissionPolicy(HOUR_MS, 0.0)
    advance(state, X, 0)
    published = advance(state, Y, 10_000)

    looks = [state.look(column(0), np.array([Y], np.float32), column(10_000), policy) for _ in range(2)]

    assert [look.long_term.tolist() for look in looks] == [published.long_term.tolist()] * 2


def test_restored_interests_go_on_as_if_never_stopped_and_are_saved_as_they_were_with_32_bits():
    state, restored = InterestState(2), InterestState(2)
    advance(state, [0.6, 0.8], 0)
    state.rows.touch(column(0))

    saved = state.rows.state()
    restored.rows.restore(saved)

    assert saved["long_term"].dtype == np.float32
    assert saved["long_term"][0] == pytest.approx([0.6, 0.8], abs=2e-5)
    assert advance(restored, Y, 99).long_term.tolist() == advance(state, Y, 99).long_term.tolist()
