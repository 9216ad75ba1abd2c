import numpy as np
import pytest

from models.inputs.features import CLICK, SEARCH
from stream.errors import EventError
from stream.users.admission import NO_ID, REMEMBERED_IDS, AdmissionPolicy, AdmissionState, Verdict, refuse_future
from tests.support.builders import NOW_MS, a_click

POLICY = AdmissionPolicy(allowed_lateness_ms=100, max_future_ms=50)


def judge(
    state: AdmissionState,
    times_ms: list[int],
    ids: list[int] | None = None,
    kinds: list[int] | None = None,
    policy: AdmissionPolicy = POLICY,
) -> list[int]:
    """Verdicts on events of user 0."""
    n = len(times_ms)
    verdicts = state.judge(
        np.zeros(n, np.int64),
        np.array(kinds or [CLICK] * n, np.int8),
        np.array(times_ms, np.int64),
        np.array(ids or [NO_ID] * n, np.uint64),
        policy,
    )
    return verdicts.tolist()


def test_lateness_is_allowed_up_to_its_limit_and_not_one_past_it():
    assert judge(AdmissionState(), [1_000, 900]) == [Verdict.ADMITTED, Verdict.ADMITTED]
    assert judge(AdmissionState(), [1_000, 899]) == [Verdict.ADMITTED, Verdict.LATE]


def test_lateness_is_measured_within_a_kind():
    assert judge(AdmissionState(), [1_000, 0], kinds=[SEARCH, CLICK]) == [Verdict.ADMITTED, Verdict.ADMITTED]


def test_a_straggler_does_not_move_the_newest_back():
    state = AdmissionState()
    judge(state, [1_000, 950])

    assert judge(state, [899]) == [Verdict.LATE]


def test_an_id_seen_before_is_a_duplicate_within_and_across_micro_batches():
    state = AdmissionState()

    assert judge(state, [1, 2, 3], ids=[7, 7, 8]) == [Verdict.ADMITTED, Verdict.DUPLICATE, Verdict.ADMITTED]
    assert judge(state, [4], ids=[8]) == [Verdict.DUPLICATE]


def test_events_without_an_id_are_never_duplicates():
    assert judge(AdmissionState(), [1, 1]) == [Verdict.ADMITTED, Verdict.ADMITTED]


@pytest.mark.parametrize(
    ("num_between", "verdict"), [(REMEMBERED_IDS - 1, Verdict.DUPLICATE), (REMEMBERED_IDS, Verdict.ADMITTED)]
)
def test_only_the_last_ids_are_remembered(num_between, verdict):
    state = AdmissionState()
    ids = [1_000, *range(1, num_between + 1)]
    judge(state, list(range(len(ids))), ids=ids)

    assert judge(state, [999], ids=[1_000]) == [verdict]


def test_a_forgotten_user_starts_afresh():
    state = AdmissionState()
    judge(state, [1_000], ids=[5])

    state.rows.forget(np.array([0]))

    assert judge(state, [0], ids=[5]) == [Verdict.ADMITTED]


def test_the_future_is_allowed_up_to_its_limit_and_not_one_past_it():
    refuse_future(a_click(time_ms=NOW_MS + 50), NOW_MS, POLICY)
    with pytest.raises(EventError, match="in_future"):
        refuse_future(a_click(time_ms=NOW_MS + 51), NOW_MS, POLICY)


LIMITED = AdmissionPolicy(allowed_lateness_ms=10**9, max_future_ms=50, max_per_minute=3)
START_MS = 1_000_000_000


def test_what_is_beyond_the_limit_of_a_minute_is_a_flood_and_fills_nothing():
    state = AdmissionState()

    assert judge(state, [START_MS] * 5, policy=LIMITED) == [Verdict.ADMITTED] * 3 + [Verdict.FLOOD] * 2
    assert judge(state, [START_MS + 19_999], policy=LIMITED) == [Verdict.FLOOD]
    assert judge(state, [START_MS + 20_000] * 2, policy=LIMITED) == [Verdict.ADMITTED, Verdict.FLOOD]


def test_a_steady_rate_at_the_limit_is_no_flood():
    times_ms = list(range(START_MS, START_MS + 100 * 20_000, 20_000))
    assert set(judge(AdmissionState(), times_ms, policy=LIMITED)) == {Verdict.ADMITTED}


def test_floods_are_counted_within_a_kind_and_a_straggler_is_none():
    state, kinds = AdmissionState(), [CLICK, CLICK, SEARCH, SEARCH]

    assert judge(state, [START_MS] * 4, kinds=kinds, policy=LIMITED) == [Verdict.ADMITTED] * 4
    assert judge(state, [START_MS - 10**6], policy=LIMITED) == [Verdict.ADMITTED]


def test_a_restored_state_judges_as_if_never_stopped_and_is_saved_as_it_was_with_times_that_are_full():
    state, restored = AdmissionState(), AdmissionState()
    judge(state, [START_MS] * 2, ids=[*range(1, 3)], policy=LIMITED)
    judge(state, [START_MS] * 3 * REMEMBERED_IDS, ids=[*range(3, 3 * REMEMBERED_IDS + 3)], policy=POLICY)
    state.rows.touch(np.array([0]))

    saved = state.rows.state()
    restored.rows.restore({**saved, "num_ids": np.array([2 + 3 * REMEMBERED_IDS])})

    assert saved["full_until_us"][0, CLICK] == 1_000 * START_MS + 2 * LIMITED.interval_us
    later = [START_MS + 10_000] * 4
    verdicts = judge(restored, later, ids=[3, 1_000, 1_001, 3 * REMEMBERED_IDS], policy=LIMITED)
    assert verdicts == [Verdict.ADMITTED, Verdict.FLOOD, Verdict.FLOOD, Verdict.DUPLICATE]
    assert judge(state, later, ids=[3, 1_000, 1_001, 3 * REMEMBERED_IDS], policy=LIMITED) == verdicts
