"""A batch is learned in pieces between micro-batches; a checkpoint in between holds all of it."""

from collections.abc import Callable

import pytest

from checkpoints.store import CheckpointStore
from stream.flow.engine import Engine
from stream.flow.learning import Learning, LearningPolicy
from stream.metrics import Meters
from tests.property.stream.test_bits import a_micro_batch, differing, go_on
from tests.support.small_world import ALL_SCORED, SETTINGS


@pytest.fixture
def engine(monkeypatch):
    monkeypatch.setattr("models.mixture.ranking.SCORES_AT_ONCE", 256)  # 2 predictions at a time among 100 rows
    engine = Engine(ALL_SCORED)
    engine.begin(incarnation=1)
    go_on(engine, 0, 4)
    return engine


def test_a_checkpoint_between_two_pieces_is_one_after_the_last(engine, tmp_path):
    for number in (4, 5):
        engine.process(a_micro_batch(number))
    num_learned, num_ranked = engine.teacher.num_learned, engine.learner.prequential.total.num_predictions
    assert not engine.teacher.learn_some()
    assert engine.teacher.has_begun
    engine.process(a_micro_batch(6))
    CheckpointStore(tmp_path, kept=2).save(*engine.take_changes())
    assert not engine.teacher.has_begun
    assert engine.teacher.num_learned == num_learned + SETTINGS.learn_batch_size
    assert engine.learner.prequential.total.num_predictions > num_ranked

    restored, saved = Engine(ALL_SCORED), CheckpointStore(tmp_path, kept=2).restore()
    assert saved is not None
    restored.restore(saved.state, saved.manifest)
    restored.begin(incarnation=2)
    for each in (engine, restored):
        go_on(each, 7, 9)
    assert differing(engine, restored) == []


def test_a_batch_that_is_late_is_learned_at_once_and_not_scored(engine):
    learning = Learning(LearningPolicy.of(ALL_SCORED), engine.teacher, engine.learner, Meters())

    def first_piece() -> Callable[[], bool]:
        piece = learning.next_piece(now=0.0, is_behind=False)
        assert piece is not None
        return piece

    engine.process(a_micro_batch(4))
    engine.process(a_micro_batch(5))
    assert not learning.is_late
    assert not first_piece()()
    while not first_piece()():
        pass
    num_ranked = engine.learner.prequential.total.num_predictions
    for number in range(6, 10):
        engine.process(a_micro_batch(number))
    assert learning.is_late
    assert first_piece()()
    assert engine.learner.prequential.total.num_predictions == num_ranked


def test_nothing_waits_nothing_is_begun(engine):
    while engine.learner.num_pending:
        engine.teacher.learn_batch()
    assert engine.teacher.learn_some()
    assert not engine.teacher.has_begun
