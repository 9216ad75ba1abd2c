from stream.flow.engine import Engine
from stream.settings import Settings
from tests.support.builders import a_chunk, a_click

SMALL = {"dim": 8, "max_items": 100, "max_queries": 10, "replay_capacity": 100}


def an_engine(*, learning: bool) -> Engine:
    engine = Engine(Settings.load(learning=learning, **SMALL))
    engine.begin(1)
    return engine


def test_without_learning_windows_and_updates_go_on_and_nothing_waits_to_be_learned():
    clicks = a_chunk([a_click("ann", "i1"), a_click("ann", "i2")])

    learner, server = an_engine(learning=True), an_engine(learning=False)
    outcomes = [engine.process([clicks]) for engine in (learner, server)]

    assert [outcome.num_updates for outcome in outcomes] == [1, 1]
    assert [len(engine.updater.window_of("ann")) for engine in (learner, server)] == [2, 2]
    assert [engine.learner.num_pending for engine in (learner, server)] == [2, 0]
