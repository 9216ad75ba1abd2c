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
