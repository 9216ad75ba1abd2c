"""The alarm is silent on a stationary stream and comes soon after a change; what follows from it; how it is saved."""

import numpy as np
import pytest

from models.config import ModelConfig
from models.inputs.examples import ReplayRing
from models.inputs.features import Examples
from models.quality.drift import SETTLING, DriftPolicy, DriftState, DriftWatch, strength, watch
from tests.unit.models.builders import a_config, a_learner, differences, learn_all, some_examples, windows_of

POLICY = DriftPolicy(10.0, batch_size=256, rate_factor=2.0, recent_share=0.5, reaction_events=2_560)


def after(losses: np.ndarray, state: DriftState | None = None, policy: DriftPolicy = POLICY) -> DriftState:
    state = state or DriftState()
    for loss in losses.tolist():
        state = watch(state, loss, 256, policy)
    return state


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(5.0, 0.15, count)


@pytest.mark.parametrize("seed", range(3))
def test_a_million_events_of_a_stationary_stream_raise_no_alarm(seed):
    assert after(noise(4_000, seed)).num_alarms == 0


def test_a_loss_that_falls_while_the_model_learns_raises_no_alarm():
    assert after(noise(500) + 3 * np.exp(-np.arange(500) / 50)).num_alarms == 0


@pytest.mark.parametrize(("rise", "batches"), [(0.45, 15), (0.6, 8), (1.5, 2)])
def test_a_rise_of_three_four_or_ten_deviations_is_told_within_some_batches(rise, batches):
    before = after(noise(200))
    assert after(noise(batches, 1) + rise, before).num_alarms == 1


def test_a_loss_that_rises_slowly_while_the_catalogue_grows_raises_no_alarm():
    assert after(noise(500) + np.linspace(0, 1.5, 500)).num_alarms == 0  # a fiftieth of a deviation a batch


def test_after_an_alarm_the_new_level_is_what_is_usual():
    changed = after(noise(10, 1) + 1.0, after(noise(200)))
    assert after(noise(1_000, 2) + 1.0, changed).num_alarms == 1


def test_small_batches_wait_until_they_are_an_observation_and_what_is_not_finite_says_nothing():
    state = DriftState()
    for _ in range(3):
        state = watch(watch(state, float("nan"), 100, POLICY), 5.0, 64, POLICY)
    assert (state.num_observed, state.mean, state.num_waiting) == (1, 5.0, 0)


def test_a_threshold_of_0_raises_no_alarm():
    never = DriftPolicy(0.0, 256, 2.0, 0.5, 2_560)
    assert after(noise(50) + 9.0, after(noise(SETTLING + 1), policy=never), never).num_alarms == 0


def test_the_reaction_fades_and_ends():
    shocked = watch(after(noise(200)), 50.0, 256, POLICY)
    faded = [strength(after(noise(batches), shocked), POLICY) for batches in (0, 5, 10, 11)]
    assert (strength(DriftState(), POLICY), faded) == (0.0, [1.0, 0.5, 0.0, 0.0])


def alarmed(config: ModelConfig) -> DriftWatch:
    drift = DriftWatch(config)
    for loss in [*noise(SETTLING + 10).tolist(), 50.0]:
        drift.note(loss, config.batch_size)
    return drift


def test_a_watch_that_is_restored_goes_on_alike():
    one, other = alarmed(a_config()), DriftWatch(a_config())
    other.restore(one.state())
    assert (one.now, other.now.num_alarms) == (other.now, 1)


def test_recent_examples_are_drawn_as_often_as_asked_across_the_end_of_the_ring():
    ring = ReplayRing(100, 4, 200)
    for first in (1, 61):
        targets = np.arange(first, first + 60, dtype=np.int32)
        ring.put(some_targets(targets))
    drawn = ring.sample(4_000, np.random.default_rng(0), recent_share=0.75, num_recent=40).targets
    assert drawn.min() == 21
    assert (drawn > 80).mean() == pytest.approx(0.75 + 0.25 * 0.4, abs=0.03)


def some_targets(targets: np.ndarray) -> Examples:
    return Examples(windows_of(*[[1]] * len(targets)), targets, np.zeros(len(targets), np.int8))


def test_an_alarm_raises_rate_and_recent_replay_for_a_while_without_a_compilation():
    learner = a_learner(drift_rate_factor=3.0, drift_recent_share=0.5, drift_reaction_events=40)
    learner.add(some_examples(learner, 80))
    learn_all(learner)
    compiled, told = learner.compilations, []
    learner.drift.restore(alarmed(learner.config).state())
    learner.add(some_examples(learner, 80))
    while learner.learn_batch() is not None:
        learner.replay_batch()
        told.append((learner.drift.rate_scale, learner.drift.recent_share))
    assert 1 < told[0][0] < 3
    assert (told[0][1], told[-1]) == (0.5, (1.0, 0.0))
    assert learner.compilations == compiled


def test_a_higher_rate_moves_the_vectors_further():
    one, two = a_learner(drift_rate_factor=3.0), a_learner(drift_rate_factor=3.0)
    for each in (one, two):
        each.add(some_examples(each, 48))
        learn_all(each)
    two.drift.restore(alarmed(two.config).state())
    before = one.item_vectors(np.arange(3, 23))
    for each in (one, two):
        each.replay_batch()
    moved = [np.abs(each.item_vectors(np.arange(3, 23)) - before).sum() for each in (one, two)]
    assert moved[1] > moved[0]


def test_a_reaction_that_was_not_called_for_changes_no_bit():
    one, two = a_learner(drift_threshold=0.0), a_learner(drift_rate_factor=3.0, drift_recent_share=0.5)
    for each in (one, two):
        each.add(some_examples(each, 40))
        learn_all(each)
    assert differences(one, two) == []
