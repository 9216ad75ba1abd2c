"""The laws of the learner: it scores before it learns, restores to the bit, compiles once, forgets what left."""

import copy

import numpy as np
import pytest

from models.inputs.features import CLICK, Examples, WindowBatch
from models.learner import SCORED_EVERY, STEPS_UNDER_WAY, TAUGHT_EVERY
from models.quality.evaluation import RANKERS
from tests.unit.models.builders import (
    a_learner,
    an_example,
    differences,
    learn_all,
    same,
    some_examples,
    windows_of,
)


def test_scoring_before_any_learning_works_and_changes_nothing():
    learner, untouched = a_learner(), a_learner()
    for each in (learner, untouched):
        some_examples(each, 1)
    vectors = learner.encode(windows_of([3, 4], [], [-1]))
    assert np.allclose(np.linalg.norm(vectors[[0]], axis=1), 1.0)
    assert np.isfinite(vectors).all()
    assert differences(learner, untouched) == []


def test_nothing_pending_nothing_learned():
    learner = a_learner()
    assert learner.learn_batch() is None
    learner.replay_batch()
    assert learner.model_step == 0


def test_oldest_are_learned_first_and_counted():
    learner = a_learner()
    learner.add(some_examples(learner, 11))
    reports = [learner.learn_batch(), learner.learn_batch()]
    assert [report.num_events for report in reports if report] == [8, 3]
    assert learner.num_pending == 0


def test_target_never_seen_is_left_out_and_counted():
    learner = a_learner()
    slots = learner.resolve_items(["a", "b"]).slots
    learner.add(an_example([slots[0]], slots[1]))
    report = learner.learn_batch()
    assert report is not None
    assert len(report.ranks) == 0
    assert learner.prequential.num_unseen == 1


def test_an_item_never_met_before_does_not_teach_the_gate():
    learner = a_learner()
    slots = learner.resolve_items(["a", "b"]).slots
    losses = []
    for _ in range(2 + STEPS_UNDER_WAY):
        learner.add(an_example([slots[0]], slots[1]))
        report = learner.learn_batch()
        assert report is not None
        losses.append(report.gate_loss)
    assert losses[STEPS_UNDER_WAY] == 0.0
    assert losses[STEPS_UNDER_WAY + 1] > 0.0


def test_ranks_are_those_of_a_plain_cosine_ranking():
    learner = a_learner()
    learner.add(some_examples(learner, 40))
    learn_all(learner)
    slots = learner.resolve_items([f"item {n}" for n in range(20)]).slots
    window = windows_of([slots[1], slots[2]])
    cosines = learner.item_vectors(slots) @ learner.encode(window)[0]
    learner.add(Examples(window, slots[5:6], np.array([CLICK], np.int8)))
    report = learner.learn_batch()
    assert report is not None
    assert report.ranks[0, 1] == (cosines >= cosines[5]).sum() - 1


def test_equal_learners_stay_equal_to_the_bit():
    one, two = a_learner(), a_learner()
    for each in (one, two):
        each.add(some_examples(each, 40))
        learn_all(each)
    assert differences(one, two) == []


def test_another_seed_gives_another_model():
    one, two = a_learner(), a_learner(seed=1)
    windows = windows_of([3])
    assert not np.allclose(one.encode(windows), two.encode(windows))


@pytest.fixture
def pieces(monkeypatch):
    """A catalogue of 22 rows is ranked 2 predictions at a time."""
    monkeypatch.setattr("models.mixture.ranking.SCORES_AT_ONCE", 50)


def test_a_batch_learned_in_pieces_is_the_same_batch(pieces):
    whole, apart = a_learner(), a_learner()
    for each in (whole, apart):
        each.add(some_examples(each, 8))
        each.learn_batch()
        each.add(some_examples(each, 8, seed=1))
    expected = whole.learn_batch()
    whole.add(some_examples(whole, 5, seed=2))
    begun = apart.learning()
    assert next(begun) is None
    apart.add(some_examples(apart, 5, seed=2))
    *some, report = begun
    assert len(some) == 2 * 3  # three rankings in two halves and the gate, of which one has been seen
    assert not any(some)
    assert expected is not None
    assert report is not None
    assert report.ranks.tolist() == expected.ranks.tolist()
    assert differences(whole, apart) == []


def test_an_item_that_leaves_between_two_pieces_is_not_ranked_and_the_others_are(pieces):
    learner = a_learner()
    learner.add(some_examples(learner, 40))
    learn_all(learner)
    slots = learner.resolve_items([f"item {n}" for n in range(20)]).slots
    for slot in slots[:8]:
        learner.add(an_example([slots[9]], slot))
    begun = learner.learning()
    assert next(begun) is None
    gone = learner.resolve_items([f"another {n}" for n in range(3)]).evicted
    *_, report = begun
    assert report is not None
    left = [n for n in range(2, 8) if slots[n] in gone]
    assert left
    assert report.scored.tolist() == [n for n in range(8) if n not in left]
    assert len(report.ranks) == 8 - len(left)


def test_restored_learner_is_equal_and_so_is_its_next_step():
    learner, other = a_learner(), a_learner()
    learner.add(some_examples(learner, 30))
    learner.learn_batch()
    learner.replay_batch()
    other.restore(learner.state())
    assert differences(learner, other) == []
    learn_all(learner)
    learn_all(other)
    assert differences(learner, other) == []


def test_state_is_not_changed_by_later_learning():
    learner = a_learner()
    learner.add(some_examples(learner, 30))
    learner.learn_batch()
    state = learner.state()
    kept = copy.deepcopy(state)
    learn_all(learner)
    assert [name for name in state if not same(state[name], kept[name])] == []


def test_a_copy_reads_as_it_did_whatever_is_learned_afterwards():
    learner = a_learner()
    learner.add(some_examples(learner, 40))
    learner.learn_batch()
    examples, slots = some_examples(learner, 9, seed=1), np.arange(learner.items.num_rows)
    kept = learner.as_of_now()
    interests, vectors = learner.encode(examples.windows), learner.item_vectors(slots)
    learn_all(learner)
    assert same(kept.encode(examples.windows), interests)
    assert same(kept.item_vectors(slots), vectors)
    assert not np.allclose(learner.encode(examples.windows), interests)
    by_vector = kept.ranker.rank(examples)[:, RANKERS.index("vector")]
    cosines = (interests @ vectors.T)[:, kept.ranker.is_seen]
    own = (interests * vectors[examples.targets]).sum(1, keepdims=True)
    assert np.abs(by_vector - ((cosines >= own).sum(1) - 1)).max() <= 1  # a tie may go either way


def test_compiled_once_whatever_sizes_arrive(tmp_path):
    first, learner = a_learner(), a_learner()
    first.compile(tmp_path)
    learner.compile(tmp_path)  # as another process
    for count in (1, 7, 8, 33):
        examples = some_examples(learner, count, seed=count)
        learner.encode(examples.windows)
        learner.add(examples)
        learn_all(learner)
    learner.encode(WindowBatch.empty(1100, 4))
    learner.item_vectors(np.arange(learner.items.num_rows))
    assert first.compilations > learner.compilations == 0


def test_compiling_changes_nothing():
    learner, untouched = a_learner(), a_learner()
    learner.compile()
    assert differences(learner, untouched) == []


def test_vector_does_not_depend_on_who_shares_the_batch():
    learner = a_learner()
    examples = some_examples(learner, 30)
    together = learner.encode(examples.windows)
    alone = np.concatenate([learner.encode(examples.windows.take(slice(n, n + 1))) for n in range(30)])
    assert np.allclose(together, alone, rtol=0, atol=1e-6)


def test_interest_resembles_the_newest_item_before_any_learning_wherever_empty_positions_stand():
    learner = a_learner(dim=64)
    older, newest, _ = slots = learner.resolve_items(["older", "newest", "never seen"]).slots
    dense, holed = learner.encode(windows_of([older, newest], [older, 0, newest]))
    assert np.argmax(learner.item_vectors(slots) @ dense) == 1
    assert np.allclose(dense, holed, atol=1e-6)


def test_kind_gap_and_value_reach_the_interest_once_learned():
    learner = a_learner()
    learner.add(some_examples(learner, 80))
    learn_all(learner)
    plain, purchase, late = windows_of([3]), windows_of([3]), windows_of([3])
    purchase.kinds[0, -1], late.gaps[0, -1] = 1, 20
    vectors = [learner.encode(windows)[0] for windows in (plain, purchase, late)]
    assert not np.allclose(vectors[0], vectors[1])
    assert not np.allclose(vectors[0], vectors[2])


def test_a_learner_that_is_behind_learns_all_but_scores_and_teaches_the_gate_on_few():
    learner = a_learner(score_sample_ratio=1.0)
    count = SCORED_EVERY + 2
    learner.add(some_examples(learner, count * 8))
    reports = [learner.learn_batch(is_behind=True) for _ in range(count)]
    assert [n for n, report in enumerate(reports) if n and report and len(report.ranks)] == [SCORED_EVERY]
    taught = {n for n, report in enumerate(reports) if report and report.gate_loss}
    assert taught <= {n + STEPS_UNDER_WAY for n in range(0, count, TAUGHT_EVERY)}
    assert learner.model_step == count


def test_under_overload_the_network_learns_a_share_of_the_batches_and_the_memory_all():
    learner = a_learner(overload_learn_ratio=0.25)
    examples = some_examples(learner, 16 * 8)
    learner.add(examples)

    reports = [learner.learn_batch(is_behind=True) for _ in range(12)]
    assert [n for n, report in enumerate(reports) if report and not report.num_left_out] == [3, 7, 11]
    assert learner.model_step == 3
    assert learner._memory.is_seen[examples.targets[: 12 * 8]].all()

    reports = [learner.learn_batch() for _ in range(4)]
    assert sum(report.num_left_out for report in reports if report) == 0
    assert learner.model_step == 7


def test_loss_that_is_not_finite_is_not_applied():
    learner = a_learner()
    examples = some_examples(learner, 8)
    examples.windows.values[:, -1] = np.inf
    before = learner.state()
    learner.add(examples)
    learner.learn_batch()
    after = learner.state()
    assert np.isnan(after["counters/running"][-1, 0])
    changed = [name for name in before if "device" in name and not same(before[name], after[name])]
    assert [name for name in changed if name in ("device/mu", "device/nu") or "moments" in name] == []
    assert all(np.isfinite(array).all() for name, array in after.items() if name.startswith("device"))


def test_new_items_start_nearer_to_the_window_they_were_first_seen_in_than_chance_would():
    learner = a_learner()
    known, *new = learner.resolve_items(["known", *(f"new-{number}" for number in range(8))]).slots
    for item in new:
        learner.add(an_example([known], item))
    learner.learn_batch()
    likeness = learner.item_vectors(np.array(new)) @ learner.item_vectors(np.array([known]))[0]
    assert 0.15 < likeness.mean() < 0.8


def test_touched_items_are_told_once():
    learner = a_learner()
    a, b = learner.resolve_items(["a", "b"]).slots
    learner.add(an_example([a], b))
    learner.learn_batch()
    assert learner.take_touched_items().tolist() == [a, b]
    assert learner.take_touched_items().tolist() == []


def test_untouched_items_keep_their_vectors_to_the_bit():
    learner = a_learner()
    learner.add(some_examples(learner, 40))
    learn_all(learner)
    learner.take_touched_items()
    before = learner.item_vectors(np.arange(learner.items.num_rows))
    learner.add(some_examples(learner, 1, seed=9))
    learner.learn_batch()
    touched = learner.take_touched_items()
    rest = np.setdiff1d(np.arange(learner.items.num_rows), touched)
    assert len(touched) > 0
    assert not before[0].any()
    assert np.array_equal(before[rest], learner.item_vectors(rest))


def test_recycled_slot_starts_with_a_fresh_vector_and_no_past():
    learner = a_learner()
    slots = learner.resolve_items([f"item {n}" for n in range(20)]).slots
    for target in (1, 2, 3):
        learner.add(an_example([slots[0]], slots[target]))
    learn_all(learner)
    before = learner.item_vectors(slots[:1])
    learner.add(an_example([slots[1], slots[0]], slots[2]))
    resolved = learner.resolve_items(["new"])
    assert resolved.evicted.tolist() == resolved.slots.tolist() == [slots[0]]
    assert not np.allclose(before, learner.item_vectors(resolved.slots))
    state = learner.state()
    assert not state["device/mu"][slots[0]].any()
    assert state["pending/window_slots"].tolist() == [[0, 0, slots[1], 0]]
    assert slots[0] not in state["memory/predecessors/ids"]


def test_an_expired_item_is_recommended_and_ranked_no_more():
    learner = a_learner(item_expiry_events=16)
    a, b = learner.resolve_items(["a", "b"]).slots
    learner.add(an_example([a], b))
    learner.learn_batch()
    assert learner.popular_items(5).slots.tolist() == [b]
    for _ in range(17):
        learner.resolve_items(["a"])
    assert (learner.items.get("b"), learner.popular_items(5).slots.tolist()) == (0, [])
    assert not learner.ranker.is_seen[b]


def test_pending_target_that_left_teaches_nothing():
    learner = a_learner(max_items=2)
    a, b = learner.resolve_items(["a", "b"]).slots
    learner.add(an_example([b], a))
    learner.resolve_items(["new"])
    report = learner.learn_batch()
    assert report is not None
    assert (report.num_events, report.num_skipped) == (1, 1)


def test_evicted_query_leaves_the_waiting_windows():
    learner = a_learner(max_queries=1)
    item = learner.resolve_items(["a"]).slots[0]
    query = learner.resolve_queries(["one"]).slots[0]
    learner.add(an_example([-query], item))
    assert learner.resolve_queries(["two"]).evicted.tolist() == [query]
    assert not learner.state()["pending/window_slots"].any()


@pytest.mark.parametrize("ratio", [0.0, 0.5])
def test_scoring_more_or_less_changes_nothing_but_what_the_second_look_learns(ratio):
    one, two = a_learner(), a_learner(score_sample_ratio=ratio)
    for each in (one, two):
        each.add(some_examples(each, 40))
        learn_all(each)
    second_look = "device/[2]"
    assert all(name.startswith(("prequential", second_look)) for name in differences(one, two))


@pytest.mark.parametrize(("ratio", "share_of_batches"), [(0.05, 0.05 * 256 / 32), (0.2, 1.0), (1.0, 1.0)])
def test_as_many_are_ranked_as_asked_for_though_few_batches_are(ratio, share_of_batches):
    learner = a_learner(score_sample_ratio=ratio, batch_size=256)

    counts = sampled_counts(learner, 256)

    assert counts.mean() / 256 == pytest.approx(ratio, rel=0.1)
    assert (counts > 0).mean() == pytest.approx(share_of_batches, rel=0.1)


@pytest.mark.parametrize("ratio", [0.5, 0.9, 1.0])
def test_as_many_are_ranked_as_asked_for_of_batches_that_are_not_full(ratio):
    learner = a_learner(score_sample_ratio=ratio, batch_size=256)
    assert sampled_counts(learner, 40).mean() / 40 == pytest.approx(ratio, rel=0.1)
    assert not sampled_counts(learner, 0).any()


def test_what_is_sampled_is_some_of_what_can_be_in_its_order():
    sampled = a_learner(score_sample_ratio=0.5)._scorer.sampled(np.arange(3, 203, 2), np.random.default_rng(0))
    assert (np.diff(sampled) > 0).all()
    assert np.isin(sampled, np.arange(3, 203, 2)).all()


def test_a_catalogue_beyond_the_limit_is_ranked_so_much_less_often(monkeypatch):
    learner = a_learner(score_sample_ratio=0.5, batch_size=256)
    learner.resolve_items([f"item {n}" for n in range(20)])
    monkeypatch.setattr("models.scoring.RANKED_ITEMS", learner.items.end / 4)

    assert sampled_counts(learner, 256).mean() / 256 == pytest.approx(0.5 / 4, rel=0.1)


def sampled_counts(learner, num_examples):
    """How many of so many examples are ranked, of 1,000 batches."""
    samples = (learner._scorer.sampled(np.arange(num_examples), np.random.default_rng(i)) for i in range(1_000))
    return np.array([len(sample) for sample in samples])
