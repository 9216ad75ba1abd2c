import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.users.windows import NewEvents, Windows

SIZE, USERS = 5, 3

events = st.lists(st.tuples(st.integers(0, USERS - 1), st.integers(0, 2), st.integers(0, 20)), max_size=40)


def pushed(log: list[tuple[int, int, int]], order: list[int], batch: int) -> Windows:
    """Windows after the events of `log` in `order`, `batch` at a time; an event's slot is its place in the log."""
    windows = Windows(SIZE)
    for start in range(0, len(order), batch):
        at = order[start : start + batch]
        new = NewEvents(
            np.array([log[i][0] for i in at], np.int32),
            np.array([i + 1 for i in at], np.int32),
            np.array([log[i][1] for i in at], np.int8),
            np.array([log[i][2] for i in at], np.int64),
            np.zeros(len(at), np.float16),
        )
        windows.push(new, SIZE)
    return windows


def folded(log: list[tuple[int, int, int]], user: int) -> list[int]:
    """The window by definition: sort, keep the newest."""
    of_user = sorted((time, kind, i) for i, (who, kind, time) in enumerate(log) if who == user)
    slots = [i + 1 for _, _, i in of_user][-SIZE:]
    return [0] * (SIZE - len(slots)) + slots


@given(events, st.integers(1, 7), st.randoms(use_true_random=False))
def test_any_interleaving_and_batching_gives_each_user_the_sorted_newest_events(log, batch, random):
    by_source: dict[tuple[int, int], list[int]] = {}
    for i, (user, kind, _) in enumerate(log):
        by_source.setdefault((user, kind), []).append(i)
    order = []
    while by_source:  # each source in its own order, sources mixed at random
        source = random.choice(sorted(by_source))
        order.append(by_source[source].pop(0))
        if not by_source[source]:
            del by_source[source]

    windows = pushed(log, order, batch)

    for user in range(USERS):
        assert windows.newest(np.array([user]), SIZE).slots[0].tolist() == folded(log, user)
