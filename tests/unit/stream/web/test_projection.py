import numpy as np

from stream.web.projection import MIN_VECTORS, Projection


def vectors(count: int = 200, dim: int = 16, seed: int = 0) -> np.ndarray:
    """Unit vectors that differ most in their first two components."""
    spread = np.array([4.0, 3.0, *[0.5] * (dim - 2)])
    drawn = np.random.default_rng(seed).normal(size=(count, dim)) * spread
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def test_nearly_all_items_lie_within_the_circle_of_radius_1():
    items = vectors()

    projection = Projection.fit(items)

    assert projection is not None
    inside = np.linalg.norm(projection.of(items), axis=1) <= 1.0001
    assert 0.94 <= inside.mean() < 1


def test_a_new_fit_does_not_turn_the_map_that_people_look_at():
    items = vectors()
    before = Projection.fit(items)
    assert before is not None
    turned = Projection(before.centre, before.axes @ np.array([[0, -1], [1, 0]], np.float32))  # a quarter turn

    after = Projection.fit(items, turned)

    assert after is not None
    assert np.allclose(after.of(items), turned.of(items), atol=1e-3)


def test_too_few_vectors_leave_the_map_as_it_was():
    before = Projection.fit(vectors())

    assert Projection.fit(vectors(MIN_VECTORS - 1), before) is before
    assert Projection.fit(vectors(MIN_VECTORS - 1)) is None
    assert Projection.fit(vectors(MIN_VECTORS)) is not None
