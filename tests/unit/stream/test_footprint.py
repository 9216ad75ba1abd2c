"""What `doctor` says a user takes."""

import numpy as np

from stream.users.footprint import bytes_per_user
from tests.support.small import SMALL_MODEL, SMALL_POLICY, a_small_updater


def test_a_user_takes_what_the_tables_of_the_updater_have_for_one():
    updater = a_small_updater()
    tables, users = updater._user_rows.values(), 1 + SMALL_POLICY.max_users
    keys = updater._users._keys._packed  # type: ignore[attr-defined]

    by_row = [array for table in tables for array in (*table._columns.values(), table.blocks.of_row)]
    by_block = [array[1:] for table in tables for array in table._growing.values()]
    of_ids = keys.table, keys.cells, np.zeros(users, updater._users._last_used.dtype)
    taken = sum(array.nbytes for array in (*by_row, *by_block, *of_ids))  # but for the block of zeros: it is nobody's

    assert taken == users * bytes_per_user(SMALL_POLICY.window_size, SMALL_MODEL.dim)
