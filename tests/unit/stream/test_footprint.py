"""What `doctor` says a user takes."""

import pytest

from stream.users.footprint import bytes_per_user
from tests.support.small import SMALL_MODEL, SMALL_POLICY, a_small_updater


def test_a_user_takes_what_the_tables_of_the_updater_have_for_one():
    tables = a_small_updater()._user_rows.values()

    arrays = [array for table in tables for array in (*table._columns.values(), *table._growing.values())]
    found = sum(array.nbytes for array in arrays)
    to_find_it = sum(array.nbytes for table in tables for array in (table.blocks.of_row, table.blocks.owners))

    assert found + to_find_it == pytest.approx(
        (1 + SMALL_POLICY.max_users) * bytes_per_user(SMALL_POLICY.window_size, SMALL_MODEL.dim), rel=1e-2
    )
