"""Windows are packed event by event, and ids become places among the different ones."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.inputs.packing import distinct, pack
from tests.unit.models.builders import windows_of


def test_holes_that_items_left_are_closed_with_all_that_stood_beside_them():
    windows = windows_of([7, 0, -2, 0], [0, 0, 1, 2])
    windows.gaps[0] = [1, 2, 3, 4]

    packed = pack(windows, 3, np.zeros(10, np.int32))

    assert packed.num_events == 4
    assert packed.events.slots[:5].tolist() == [7, -1, 1, 2, 0]
    assert packed.events.gaps[:2].tolist() == [1, 3]
    assert packed.layout.at.tolist() == [[-1, -1, 0, 1], [-1, -1, 2, 3], [-1, -1, -1, -1]]
    assert packed.layout.places[:5].tolist() == [2, 3, 6, 7, 12]


def test_equal_queries_are_one_and_nothing_is_remembered_of_them():
    numbers = np.zeros(10, np.int32)

    packed = pack(windows_of([-4, -2], [-4, 3], time=2), 2, numbers)

    assert packed.num_queries == 2
    assert packed.queries.tolist() == [4, 2, 0, 0]
    assert packed.events.slots.tolist() == [-1, -2, -1, 3]
    assert not numbers.any()


@given(st.lists(st.integers(0, 20)))
def test_distinct_ids_come_in_order_of_appearance_and_lead_back(ids):
    rows, at = distinct(np.array(ids, np.int32), np.zeros(21, np.int32))

    assert rows.tolist() == list(dict.fromkeys(ids))
    assert rows[at].tolist() == ids
