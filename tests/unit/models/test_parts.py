"""Small parts of the model, each against its formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from models.counting.memory import Components
from models.inputs.examples import ReplayRing
from models.inputs.features import WindowBatch
from models.inputs.sampling import join_known, sample_items
from models.mixture.gate import Gate
from models.mixture.ranking import num_at_once
from models.network.network import drop
from models.network.objective import log_sum_of_others
from models.quality.evaluation import PrequentialMetrics, RankHistogram
from tests.unit.models.builders import an_example, windows_of


def test_newest_positions_are_kept_and_missing_ones_are_empty():
    windows = windows_of([1, 2, 3])
    assert windows.newest(2).slots.tolist() == [[2, 3]]
    assert windows.newest(5).slots.tolist() == [[0, 0, 1, 2, 3]]


def test_gate_gives_no_weight_to_a_component_without_a_say():
    components = Components(window=4)
    gate = Gate(16, components, nnx.Rngs(0))
    has_say = np.zeros((1, components.count), bool)
    has_say[0, :2] = True
    weights = jnp.exp(gate(jnp.ones((1, 16)), jnp.ones((1, components.count)), has_say))
    assert float(weights.sum()) == pytest.approx(1.0)
    assert float(weights[0, 2:].sum()) == 0.0


def test_sum_over_all_items_is_exact():
    logits = jnp.array([[0.5, -1.0, 2.0]])
    others = log_sum_of_others(logits, jnp.zeros(3), jnp.array([[False, False, True]]))
    assert float(jnp.logaddexp(logits[0, 2], others[0])) == pytest.approx(float(jax.nn.logsumexp(logits)))


def test_rarely_drawn_item_stands_for_the_many_like_it():
    others = log_sum_of_others(jnp.zeros((1, 1)), jnp.log(jnp.array([0.25])), jnp.zeros((1, 1), bool))
    assert float(jnp.exp(others[0])) == pytest.approx(4.0)


def test_log_q_is_the_expected_number_of_occurrences():
    ring = ReplayRing(8, time=4, num_items=6)
    ring.put(an_example([3], 4))
    sample = sample_items(4, ring, np.array([False] * 3 + [True] * 3), range(3, 6), np.random.default_rng(0))
    expected = {3: 2 / 3, 4: 2 / 3 + 2, 5: 2 / 3}
    got = dict(zip(sample.slots.tolist(), np.exp(sample.log_q).tolist(), strict=True))
    assert got == pytest.approx({slot: expected[slot] for slot in got})


def test_items_never_seen_do_not_count_as_samples():
    ring = ReplayRing(8, time=4, num_items=6)
    sample = sample_items(4, ring, np.zeros(6, bool), range(3, 6), np.random.default_rng(0))
    assert (sample.log_q > 1e8).all()


def test_known_items_count_once_and_not_again_when_sampled():
    ring = ReplayRing(8, time=4, num_items=6)
    sampled = sample_items(50, ring, np.ones(6, bool), range(3, 6), np.random.default_rng(0))
    joined = join_known(np.array([4], np.int32), 2, sampled)
    assert joined.slots[:2].tolist() == [4, 0]
    assert joined.log_q[0] == 0.0
    assert (joined.log_q[1:][joined.slots[1:] == 4] > 1e8).all()


def test_dropout_keeps_the_mean_and_drops_the_ratio():
    dropped = drop(jnp.ones((100, 100)), 0.2, jax.random.key(0))
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.02)
    assert float((dropped == 0).mean()) == pytest.approx(0.2, abs=0.02)


def test_recall_and_mrr_of_known_ranks():
    histogram = RankHistogram()
    histogram.add(np.array([[0, 1, 19, 20], [3, 1, 500, 20]]))
    assert histogram.recall("mixture", 1) == 0.5
    assert histogram.mrr("mixture", 20) == pytest.approx((1 + 1 / 4) / 2)
    assert histogram.recall("counting", 20) == 0.5
    assert histogram.recall("popularity", 20) == 0.0


def test_recall_before_any_prediction_is_not_a_number():
    assert np.isnan(RankHistogram().recall("mixture", 20))


def test_recent_figures_follow_a_change_that_the_total_hardly_sees():
    metrics = PrequentialMetrics()
    metrics.add(np.zeros((20_000, 4), np.int64), num_unseen=0)
    metrics.add(np.full((10_000, 4), 50), num_unseen=0)
    assert metrics.total.recall("vector", 20) == pytest.approx(2 / 3)
    assert metrics.recent.recall("vector", 20) < 0.2


def test_windows_are_empty_by_default():
    assert not WindowBatch.empty(2, 3).slots.any()


@pytest.mark.parametrize(
    ("num_items", "expected"), [(22, 32), (4_096, 32), (32_768, 32), (65_536, 16), (100_001, 8), (2_000_000, 1)]
)
def test_fewer_predictions_are_ranked_at_once_among_more_items(num_items, expected):
    assert num_at_once(num_items) == expected
