"""What a user costs in memory."""

from models.items.keys import PackedKeys
from models.items.vocabulary import LAST_USED
from stream.users.admission import AdmissionState
from stream.users.interests import InterestState
from stream.users.windows import Windows


def bytes_per_user(window_size: int, dim: int) -> int:
    """Bytes of a user's row in all tables, once every column was written; the characters of the id come on top.

    Args:
        window_size: events kept for each user.
        dim: length of the vectors.
    """
    tables = Windows(window_size, rows=1), AdmissionState(rows=1), InterestState(dim, rows=1)
    return PackedKeys(end=1).bytes_per_key + LAST_USED.itemsize + sum(table.rows.bytes_per_row for table in tables)
