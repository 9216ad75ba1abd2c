import numpy as np
import pytest

from stream.users.rows import BLOCK, UserRows, taken_place
from tests.support.builders import column

LENGTH = BLOCK + 3


def growing_rows() -> UserRows:
    return UserRows({"count": (np.int64, ())}, 10, {"slots": np.int32}, LENGTH)


def write(rows: UserRows, user: int, *values: int) -> None:
    for position, value in enumerate(values):
        rows["slots"][taken_place(rows.blocks, user, position)] = value
    rows["count"][user] = len(values)
    rows.touch(column(user))


def positions(rows: UserRows, user: int) -> list[int]:
    row: list[int] = rows.positions_of(column(user))["slots"][0].tolist()
    return row


def padded(*values: int) -> list[int]:
    return [*values, *[0] * (LENGTH - len(values))]


def test_a_row_takes_blocks_as_it_grows():
    rows = growing_rows()

    write(rows, 1, 5)
    assert rows.blocks.counts[0] == 2  # the one of zeros included
    write(rows, 1, *range(1, LENGTH + 1))

    assert rows.blocks.counts[0] == 3
    assert positions(rows, 1) == list(range(1, LENGTH + 1))
    assert positions(rows, 2) == padded()


def test_blocks_of_the_forgotten_are_given_to_others_and_hold_nothing():
    rows = growing_rows()
    write(rows, 1, *range(1, LENGTH + 1))
    write(rows, 2, 7)

    rows.forget(column(1))
    write(rows, 3, 8)
    write(rows, 4, 9)

    assert rows.blocks.counts[0] == 4
    assert [positions(rows, user) for user in (1, 2, 3, 4)] == [padded(), padded(7), padded(8), padded(9)]


def test_a_restored_table_has_the_rows_and_blocks_of_the_one_before():
    rows, restored = growing_rows(), growing_rows()
    write(rows, 1, *range(1, LENGTH + 1))
    write(rows, 4, 9)

    restored.restore(rows.state())

    assert [positions(restored, user) for user in range(5)] == [positions(rows, user) for user in range(5)]
    assert restored["count"].tolist() == rows["count"].tolist()
    write(restored, 2, 6)
    assert [positions(restored, user) for user in (1, 2, 4)] == [positions(rows, 1), padded(6), padded(9)]


def test_a_table_of_which_nothing_was_saved_is_empty():
    rows = growing_rows()

    rows.restore({})

    assert positions(rows, 1) == padded()


def test_changes_hold_all_positions_of_the_rows_that_were_touched():
    rows = growing_rows()
    write(rows, 1, 5, 6)
    rows.changes()
    write(rows, 2, 7)

    changes = rows.changes()

    slots = changes["growing/slots"]
    assert slots.rows is not None
    assert slots.rows.tolist() == [2]
    assert np.asarray(slots.values).tolist() == [padded(7)]


def test_what_was_saved_before_its_column_could_grow_is_refused_and_not_misread():
    before = UserRows({"count": (np.int64, ()), "slots": (np.int32, (LENGTH,))}, 10)
    before.touch(column(1))

    with pytest.raises(KeyError, match="growing/slots"):
        growing_rows().restore(before.state())
