"""What `doctor` says a user takes."""

from stream.users.footprint import bytes_per_user
from tests.support.small import SMALL_MODEL, SMALL_POLICY, a_small_updater


def test_a_user_takes_what_the_tables_of_the_updater_have_for_one():
    tables = a_small_updater()._user_rows.values()

    taken = sum(column.nbytes for table in tables for column in table._columns.values())

    assert taken == (1 + SMALL_POLICY.max_users) * bytes_per_user(SMALL_POLICY.window_size, SMALL_MODEL.dim)
