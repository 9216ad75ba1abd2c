"""Figures from ranks, and how sure they are."""

import numpy as np
import pytest

from models.inputs.features import WindowBatch
from models.quality.bootstrap import UserSums
from models.quality.predictions import PREDICTION, figures, gains


def judged(ranks: list[int], parts: list[int] | None = None) -> np.ndarray:
    rows = np.zeros(len(ranks), PREDICTION)
    rows["ranks"] = np.array(ranks)[:, None]
    rows["part"] = parts or 0
    return rows


def test_gains_of_one_relevant_item():
    gain = {name: values.tolist() for name, values in gains(np.array([0, 4, 5])).items()}

    assert gain["accuracy"] == gain["recall@1"] == [1, 0, 0]
    assert gain["recall@5"] == [1, 1, 0]
    assert gain["precision@5"] == [0.2, 0.2, 0]
    assert gain["f1@5"] == pytest.approx([1 / 3, 1 / 3, 0])  # 2 * 0.2 * 1 / 1.2
    assert gain["mrr@10"] == pytest.approx([1, 1 / 5, 1 / 6])
    assert gain["ndcg@10"] == pytest.approx([1, 1 / np.log2(6), 1 / np.log2(7)])


def test_a_figure_is_the_plain_mean_over_parts():
    found = figures(judged([0, 50, 50, 50], parts=[1, 2, 2, 2]))

    assert found["mixture"]["recall@20"] == 0.5


def test_the_interval_holds_the_figure_and_narrows_with_more_users():
    rng = np.random.default_rng(0)
    widths = []
    for num_users in (50, 5_000):
        hits = (rng.random(num_users) < 0.3).astype(float)
        users = UserSums(np.zeros(num_users, np.int32), np.arange(num_users))
        low, high = users.interval(users.of(hits), np.random.default_rng(1))
        assert low < hits.mean() < high
        widths.append(high - low)

    assert widths[1] == pytest.approx(2 * 1.96 * np.sqrt(0.3 * 0.7 / 5_000), rel=0.15)
    assert widths[0] > 5 * widths[1]


@pytest.mark.parametrize(("advantage", "is_told_apart"), [(0.0, False), (0.1, True)])
def test_only_a_real_difference_is_told_from_chance(advantage: float, is_told_apart: bool):
    rng = np.random.default_rng(2)
    users = UserSums(np.zeros(1_000, np.int32), np.arange(1_000))
    one, other = rng.random(1_000) + advantage, rng.random(1_000)

    found = users.compare(users.of(one), users.of(other), rng)

    assert (found.p_value < 0.05) == is_told_apart
    assert (found.low > 0) == is_told_apart
    assert found.low <= found.difference <= found.high


def test_many_predictions_of_one_user_do_not_make_sure():
    alike = UserSums(np.zeros(1_000, np.int32), np.repeat(np.arange(10), 100))
    hits = np.repeat(np.arange(10) < 3, 100).astype(float)

    low, high = alike.interval(alike.of(hits), np.random.default_rng(0))

    assert high - low > 0.3


def test_positions_that_are_dropped_leave_no_gap():
    windows = WindowBatch.empty(1, 4)
    windows.slots[0], windows.kinds[0] = [0, 5, 6, 7], [0, 1, 0, 1]

    kept = windows.keep(np.array([[False, True, False, True]]))

    assert kept.slots.tolist() == [[0, 0, 5, 7]]
    assert kept.kinds.tolist() == [[0, 0, 1, 1]]
