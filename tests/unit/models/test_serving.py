"""The weights that answers are read by, and whose turn it is to read."""

import threading

import numpy as np

from models.device.turn import Turn
from tests.unit.models.builders import a_learner, an_example, learn_all, some_examples, windows_of


def test_served_weights_stand_still_until_they_catch_up_with_what_was_learned():
    learner = a_learner()
    learner.add(some_examples(learner, 64))
    learner.serve()
    before = learner.served.encode(windows_of([4, 5]))
    learn_all(learner)
    assert np.array_equal(learner.served.encode(windows_of([4, 5])), before)
    assert learner.served.model_step < learner.model_step

    learner.serve()
    assert np.array_equal(learner.served.encode(windows_of([4, 5])), learner.encode(windows_of([4, 5])))
    assert np.array_equal(learner.served.item_vectors(np.arange(20)), learner.item_vectors(np.arange(20)))
    assert learner.served.model_step == learner.model_step


def test_an_item_in_a_recycled_slot_is_never_read_by_the_vector_of_the_one_before():
    learner = a_learner(max_items=4)
    (slot,) = learner.resolve_items(["old"]).slots
    learner.serve()
    learner.resolve_items(["new", "a", "b", "c"])
    assert learner.items.get("new") == slot
    assert np.array_equal(learner.served.item_vectors(np.array([slot])), learner.item_vectors(np.array([slot])))


def test_serving_compiles_nothing():
    learner = a_learner()
    learner.compile()
    compilations = learner.compilations
    for _ in range(2):
        learner.add(an_example([4], 5))
        learn_all(learner)
        learner.serve()
    assert learner.compilations == compilations


def test_who_waits_comes_next_however_soon_the_turn_is_wanted_back():
    turn, events = Turn(), list[str]()
    waits = threading.Event()

    def read() -> None:
        waits.set()
        with turn.reading():
            events.append("reads")

    reader = threading.Thread(target=read)
    with turn.working():
        reader.start()
        waits.wait()
        while not events:
            with turn.given():
                pass
        events.append("works on")
    reader.join()
    assert events == ["reads", "works on"]


def test_a_reader_comes_in_while_the_worker_waits_and_at_no_other_time():
    turn, events = Turn(), list[str]()

    class Computing:
        """What the device is still computing: a reader comes and goes meanwhile."""

        def block_until_ready(self) -> None:
            reader.start()
            reader.join()

    def read() -> None:
        with turn.reading():
            events.append("reads")
            turn.wait_for(np.zeros(1))  # a reader keeps its turn

    reader = threading.Thread(target=read)
    with turn.working():
        events.append("works")
        turn.wait_for(Computing())
        events.append("works on")
    assert events == ["works", "reads", "works on"]
