"""The same events over 1, 2 and 4 partitions and in any micro-batches give every user the same window."""

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.learner import OnlineLearner
from stream.flow.updater import WindowEvent
from stream.records.events import Click, Event, Purchase, Search
from tests.support.builders import NOW_MS, a_chunk
from tests.support.small import SMALL_MODEL, a_small_updater

USERS = ("ann", "bob", "cy", "dee")

events = st.lists(
    st.one_of(
        st.builds(
            Click, st.sampled_from(USERS), st.sampled_from(["i1", "i2", "i3"]), st.integers(NOW_MS, NOW_MS + 900)
        ),
        st.builds(Purchase, st.sampled_from(USERS), st.sampled_from(["i1", "i2"]), st.integers(NOW_MS, NOW_MS + 900)),
        st.builds(Search, st.sampled_from(USERS), st.sampled_from(["red", "blue"]), st.integers(NOW_MS, NOW_MS + 900)),
    ),
    min_size=1,
    max_size=30,
)


LEARNER = OnlineLearner(SMALL_MODEL)  # compiled once, put back before every run
BLANK = LEARNER.state()


def windows_after(log: list[Event], num_partitions: int, micro_batch: int) -> dict[str, list[WindowEvent]]:
    """Each user's window, as ids rather than slots, since slots depend on the order of first occurrence."""
    LEARNER.restore(BLANK)
    updater = a_small_updater(learner=LEARNER)
    logs: dict[tuple[type, int], list[Event]] = {}
    for event in log:
        logs.setdefault((type(event), zlib.crc32(event.user_id.encode()) % num_partitions), []).append(event)
    for (_, partition), of_partition in logs.items():
        for start in range(0, len(of_partition), micro_batch):
            updater.process([a_chunk(of_partition[start : start + micro_batch], partition, start)])
    return {user: updater.window_of(user) for user in USERS}


@pytest.mark.parametrize("num_partitions", [1, 2, 4])
@settings(max_examples=30, deadline=None)
@given(log=events, micro_batch=st.integers(1, 9))
def test_partitions_and_micro_batches_do_not_show_in_the_windows(num_partitions, log, micro_batch):
    assert windows_after(log, num_partitions, micro_batch) == windows_after(log, 1, 100)
