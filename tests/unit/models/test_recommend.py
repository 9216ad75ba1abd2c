import numpy as np
import pytest

from models.inputs.features import Examples, WindowBatch
from models.learner import OnlineLearner
from models.mixture.recommend import Pool, RecommendPolicy, Votes, diversify, pool
from models.saving import Array
from tests.unit.models.builders import a_learner, learn_all, some_examples, windows_of

ROUNDING = 1e-5  # of scores that two functions compute
NOTHING = np.zeros((1, 1), np.int32)


@pytest.fixture(scope="module")
def learner() -> OnlineLearner:
    """One that has learned a little."""
    learner = a_learner()
    learner.add(some_examples(learner, 60))
    learn_all(learner)
    return learner


def check_place(learner: OnlineLearner, windows: WindowBatch, slots: Array, scores: Array, place: int) -> None:
    """The items recommended in a place stand there in the ranking, before or behind those equal but for rounding."""
    own = scores[:, [place]]
    at_best, at_worst = (scores > own * (1 + ROUNDING)).sum(1), (scores >= own * (1 - ROUNDING)).sum(1) - 1
    ranks = learner.ranker.rank(Examples(windows, slots[:, place], np.zeros(len(slots), np.int8)))[:, 0]
    assert ((at_best <= ranks) & (ranks <= at_worst)).all(), (at_best, ranks, at_worst)


def test_recommended_items_stand_where_the_mixture_ranks_them(learner):
    windows = some_examples(learner, 5, seed=3).windows

    slots, scores = learner.recommend(windows, np.zeros((5, 1), np.int32), RecommendPolicy(count=20))

    for place in range(20):
        check_place(learner, windows, slots, scores, place)
    assert (np.diff(scores, axis=1) <= 0).all()


def test_of_more_items_than_are_looked_at_twice_the_best_stand_where_the_mixture_ranks_them():
    learner = a_learner(max_items=200)
    learner.add(some_examples(learner, 400, num_items=200))
    learn_all(learner)
    windows = some_examples(learner, 5, seed=3, num_items=200).windows

    slots, scores = learner.recommend(windows, np.zeros((5, 1), np.int32), RecommendPolicy(count=80))

    for place in range(0, 80, 8):
        check_place(learner, windows, slots, scores, place)


def test_scores_of_the_whole_catalogue_are_one_distribution(learner):
    _, scores = learner.recommend(windows_of([4, 5]), NOTHING, RecommendPolicy(count=20))

    assert scores.sum() == pytest.approx(1, abs=1e-3)


def test_what_is_left_out_is_not_recommended_and_the_rest_moves_up(learner):
    (all_slots,), _ = learner.recommend(windows_of([4, 5]), NOTHING, RecommendPolicy(count=5))

    (slots,), _ = learner.recommend(windows_of([4, 5]), all_slots[None, [0, 2]], RecommendPolicy(count=3))

    assert slots.tolist() == all_slots[[1, 3, 4]].tolist()


def test_an_empty_window_and_a_short_catalogue_give_what_there_is(learner):
    (slots,), _ = learner.recommend(windows_of([]), NOTHING, RecommendPolicy(count=30))

    assert np.count_nonzero(slots) == 20
    assert len(set(slots.tolist())) == 21


def test_more_windows_than_go_at_once_are_as_one_after_the_other(learner):
    windows = some_examples(learner, 40, seed=5).windows
    wanted = RecommendPolicy(count=3, diversity=0.4)

    together = learner.recommend(windows, np.zeros((40, 1), np.int32), wanted).slots

    alone = [learner.recommend(windows.take(slice(row, row + 1)), NOTHING, wanted).slots[0] for row in (0, 31, 32, 39)]
    assert np.array_equal(together[[0, 31, 32, 39]], alone)


def test_recommending_changes_no_state_and_compiles_nothing(learner):
    learner.compile()
    compilations, before = learner.compilations, learner.state()

    learner.recommend(some_examples(learner, 2).windows, np.zeros((2, 1), np.int32), RecommendPolicy(3, 0.5))

    assert learner.compilations == compilations
    assert all(np.array_equal(before[name], value) for name, value in learner.state().items() if "device" in name)


def test_candidates_put_forward_twice_are_one_with_both_parts():
    network, popularity = np.array([0.5, 0.0, 0.5, 0.125]), np.array([0.25, 0.0, 0.25, 0.0])
    votes = Votes(np.array([7, 0, 7, 9]), network, popularity, np.array([0.25, 9.0, 0.25, 0.0]), (1.0, 2.0))

    joined = pool(votes, left_out=np.array([0]))

    assert dict(zip(joined.slots.tolist(), joined.scores.tolist(), strict=True)) == {7: 1.5, 9: 0.125}
    assert joined.network.tolist() == [0.5, 0.125]


@pytest.mark.parametrize(("diversity", "chosen"), [(0.0, [1, 2]), (0.5, [1, 3])])
def test_diversity_prefers_an_item_unlike_the_chosen_one(diversity, chosen):
    scores = np.array([1.0, 0.9, 0.5], np.float32)
    candidates = Pool(np.array([1, 2, 3]), scores, scores, scores)
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)

    assert diversify(candidates, vectors, RecommendPolicy(2, diversity)).slots.tolist() == chosen
