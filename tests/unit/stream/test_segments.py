"""Users who like the same come into one segment."""

import csv
from pathlib import Path

import numpy as np

from stream.cli.segments import views, write_csv
from stream.nearest import VectorTable
from stream.segments import spherical_k_means


def some_users(sizes: list[int], seed: int = 0, dim: int = 8) -> np.ndarray:
    """Users around an axis each, so many around the first, the second, …"""
    around = np.repeat(np.eye(dim)[: len(sizes)], sizes, axis=0)
    vectors = around + np.random.default_rng(seed).normal(0, 0.1, around.shape)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_groups_are_found_and_the_largest_is_the_first():
    found = spherical_k_means(some_users([20, 50, 30]), k=3)
    assert found.labels.tolist() == [2] * 20 + [0] * 50 + [1] * 30
    assert np.allclose(np.linalg.norm(found.centres, axis=1), 1, atol=1e-6)
    assert found.cosines.min() > 0.7


def test_the_same_seed_gives_the_same_segments():
    users = some_users([40, 40, 40, 40])
    one, two = spherical_k_means(users, 6, seed=3), spherical_k_means(users, 6, seed=3)
    assert one.labels.tolist() == two.labels.tolist()


def test_there_are_no_more_segments_than_different_users():
    found = spherical_k_means(np.eye(3, dtype=np.float32)[[0, 0, 1]], k=5)
    assert (len(found.centres), found.labels.tolist()) == (2, [0, 0, 1])


def test_a_segment_is_named_by_its_nearest_items_and_written_user_by_user(tmp_path: Path):
    users, items = some_users([3, 1], dim=4), VectorTable()
    for name, vector in zip(("lamp", "shoe"), np.eye(4), strict=False):
        items.put(name, vector.tolist())
    found = spherical_k_means(users, 2)
    write_csv(tmp_path / "out.csv", ["a", "b", "c", "d"], found)
    assert [(view.users, view.share, view.items) for view in views(found, items, 1)] == [
        (3, 0.75, ["lamp"]),
        (1, 0.25, ["shoe"]),
    ]
    with (tmp_path / "out.csv").open() as file:
        assert [(row["user_id"], row["segment"]) for row in csv.DictReader(file)] == [*zip("abcd", "0001", strict=True)]
