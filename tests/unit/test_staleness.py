"""What is served by old weights must be as old as said."""

from tests.benchmark.staleness import Past
from tests.unit.models.builders import a_learner


def test_the_youngest_copy_that_is_old_enough_is_served():
    learner, past, copies = a_learner(), Past(age_ms=100), {}
    for now_ms in range(0, 1000, 10):
        if past.wants(now_ms):
            copies[now_ms] = learner.as_of_now()
            past.keep(copies[now_ms], now_ms)
    assert list(copies)[:3] == [0, 30, 60]
    assert past.at(990) is copies[870]
    assert past.at(970) is copies[870]
    assert past.at(969) is copies[840]
