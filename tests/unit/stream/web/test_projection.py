import functools

import numpy as np

from stream.web.projection import MIN_VECTORS, Projection

NUM_KINDS = 4


def items(count: int = 80, dim: int = 16) -> tuple[list[str], np.ndarray]:
    """Items of four kinds in turn, those of a kind alike: ids and unit vectors."""
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(NUM_KINDS, dim))
    drawn = kinds[np.arange(count) % NUM_KINDS] + 0.3 * rng.normal(size=(count, dim))
    return [f"i{n}" for n in range(count)], (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


@functools.cache
def laid_out() -> Projection:
    projection = Projection.fit(*items())
    assert projection is not None
    return projection


def test_items_lie_near_those_that_they_are_like():
    places = laid_out().places

    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    np.fill_diagonal(apart, np.inf)

    is_same_kind = apart.argmin(1) % NUM_KINDS == np.arange(len(places)) % NUM_KINDS
    assert is_same_kind.mean() > 0.95


def test_nearly_all_items_lie_within_the_circle_of_radius_1():
    inside = np.linalg.norm(laid_out().places, axis=1) <= 1.0001

    assert 0.94 <= inside.mean() < 1


def test_a_user_lies_amid_the_items_of_its_interest():
    _, vectors = items()

    user = laid_out().of(vectors[:NUM_KINDS] + 0)

    assert np.linalg.norm(user - laid_out().places[:NUM_KINDS], axis=1).max() < 0.3


def test_a_new_layout_leaves_the_map_nearly_as_people_know_it():
    ids, vectors = items()
    order = np.random.default_rng(1).permutation(len(ids))

    after = Projection.fit([ids[i] for i in order], vectors[order], laid_out())

    assert after is not None
    assert np.abs(after.places - laid_out().places[order]).max() < 0.3


def test_too_few_vectors_leave_the_map_as_it_was():
    assert Projection.fit(*items(MIN_VECTORS - 1), laid_out()) is laid_out()
    assert Projection.fit(*items(MIN_VECTORS - 1)) is None
    assert Projection.fit(*items(MIN_VECTORS)) is not None
