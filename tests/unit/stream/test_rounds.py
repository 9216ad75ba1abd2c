import numpy as np

from stream.users.rounds import rounds


def test_no_round_names_a_row_twice_and_rounds_keep_the_order_of_each_row():
    rows = np.array([7, 3, 7, 7, 3, 9])

    groups = [group.tolist() for group in rounds(rows)]

    assert groups == [[1, 0, 5], [4, 2], [3]]


def test_nothing_makes_no_round():
    assert list(rounds(np.zeros(0, np.int64))) == []
