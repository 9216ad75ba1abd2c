"""What a step is padded to decides what it costs, not what it teaches."""

from itertools import pairwise

import numpy as np
import pytest

from models.inputs.batches import FEW_WINDOWS, BatchBuilder, Candidates, StepBatch, rooms
from models.inputs.features import Examples
from tests.unit.models.builders import a_config, windows_of

CONFIG = a_config(batch_size=256, num_negatives=4, num_soft_targets=0, max_queries=512)
ROOMS = rooms(CONFIG.batch_size, 4)


def a_step(*windows: list[int], targets: int | list[int] = 1, room_number: int | None = None) -> StepBatch:
    count = len(windows)
    examples = Examples(windows_of(*windows), np.full(count, targets, np.int32), np.zeros(count, np.int8))
    builder = BatchBuilder(CONFIG, np.zeros((1 + CONFIG.max_queries, 3), np.int32), num_item_rows=1_000)
    negatives = Candidates(np.arange(1, 5, dtype=np.int32), np.zeros(4, np.float32))
    room = None if room_number is None else ROOMS[room_number]
    return builder.step(examples, np.zeros((count, 0), np.int32), negatives, room)


def test_each_room_holds_what_the_one_before_it_does_and_the_last_anything():
    for smaller, larger in pairwise(ROOMS):
        assert larger.holds(smaller.events, smaller.queries)
    assert ROOMS[-1].holds(256 * 4, 256 * 4)


@pytest.mark.parametrize("room", range(len(ROOMS)))
def test_indices_lead_to_the_same_rows_in_every_room(room):
    step = a_step([5, 6], [6, 7], room_number=room)

    rows = np.asarray(step.rows)
    assert len(set(rows.tolist())) == len(rows), "a row that stands twice would be written twice"
    assert rows[step.positions.slots][:4].tolist() == [5, 6, 6, 7]
    assert rows[step.targets][:2].tolist() == [1, 1]
    assert rows[step.negatives.slots].tolist() == [1, 2, 3, 4]


def test_a_small_batch_gets_the_room_number():
    assert len(a_step([5], [6]).positions.slots) == ROOMS[0].events


def test_more_rows_than_the_room_number_has_get_a_larger_one():
    windows = [[300 + user] for user in range(170)]
    few_rows, many_rows = a_step(*windows), a_step(*windows, targets=[600 + user for user in range(170)])

    assert len(few_rows.positions.slots) == ROOMS[0].events
    assert len(many_rows.positions.slots) > ROOMS[0].events
    assert {*range(300, 470), *range(600, 770)} <= set(np.asarray(many_rows.rows).tolist())


def test_full_windows_without_many_searches_get_no_room_for_them():
    without = a_step(*[[5, 6, 7, 8]] * CONFIG.batch_size)
    with_many = a_step(*([5, 6, -1 - user, -257 - user] for user in range(CONFIG.batch_size)))

    assert len(without.positions.slots) == CONFIG.batch_size * 4
    assert len(without.positions.query_tokens) == CONFIG.batch_size
    assert len(without.rows) < len(with_many.rows)


def test_few_windows_have_one_room():
    assert len(rooms(FEW_WINDOWS, 4)) == 1
