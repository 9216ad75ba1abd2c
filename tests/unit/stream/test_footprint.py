"""What `doctor` says a user takes."""

from stream.users.footprint import bytes_per_user
from tests.support.small import SMALL_MODEL, SMALL_POLICY, a_small_updater


def test_a_user_takes_what_the_tables_of_the_updater_have_for_one():
    tables = a_small_updater()._user_rows.values()

    by_row = [array for table in tables for array in (*table._columns.values(), table.blocks.of_row)]
    by_block = [array[1:] for table in tables for array in table._growing.values()]
    taken = sum(array.nbytes for array in (*by_row, *by_block))  # but for the block of zeros, which is nobody's

    assert taken == (1 + SMALL_POLICY.max_users) * bytes_per_user(SMALL_POLICY.window_size, SMALL_MODEL.dim)
