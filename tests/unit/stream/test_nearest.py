"""The table of vectors that clients search."""

import numpy as np

from stream.nearest import FIRST_ROWS, VectorTable


def test_nearest_are_sorted_by_dot_product():
    table = VectorTable()
    for name, vector in (("east", [1.0, 0.0]), ("north", [0.0, 1.0]), ("north-east", [0.6, 0.8])):
        table.put(name, vector)
    assert [name for name, _ in table.nearest([0.0, 1.0], 2)] == ["north", "north-east"]
    assert [name for name, _ in table.nearest([0.0, 1.0], 5)] == ["north", "north-east", "east"]


def test_empty_table_and_other_length_have_no_neighbours():
    table = VectorTable()
    assert table.nearest([1.0], 3) == []
    table.put("a", [1.0, 0.0])
    assert table.nearest([1.0], 3) == []


def test_replacing_a_vector_keeps_one_row():
    table = VectorTable()
    table.put("a", [1.0, 0.0])
    table.put("a", [0.0, 1.0])
    assert len(table) == 1
    assert table.nearest([0.0, 1.0], 1) == [("a", 1.0)]


def test_dropping_moves_the_last_row_and_forgets_the_name():
    table = VectorTable()
    for name, vector in (("a", [1.0, 0.0]), ("b", [0.0, 1.0]), ("c", [0.6, 0.8])):
        table.put(name, vector)
    table.drop("a")
    table.drop("never there")
    assert "a" not in table
    assert [name for name, _ in table.nearest([0.6, 0.8], 3)] == ["c", "b"]


def test_another_length_starts_anew():
    table = VectorTable()
    table.put("old", [1.0, 0.0])
    table.put("new", [1.0, 0.0, 0.0])
    assert len(table) == 1
    assert table.nearest([1.0, 0.0, 0.0], 5) == [("new", 1.0)]


def test_growing_beyond_the_first_rows_agrees_with_a_full_sort():
    table, rng = VectorTable(), np.random.default_rng(0)
    vectors = rng.normal(size=(2 * FIRST_ROWS + 1, 8)).astype(np.float32)
    for row, vector in enumerate(vectors):
        table.put(str(row), vector.tolist())
    expected = np.argsort(-(vectors @ vectors[7]))[:10]
    assert [int(name) for name, _ in table.nearest(vectors[7].tolist(), 10)] == expected.tolist()
