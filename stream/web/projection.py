"""Vectors on a map: items lie near those that they are like, and anything else lies among the items it is nearest to.

The layout is a small t-SNE (van der Maaten and Hinton, 2008) with one bandwidth for all, begun at the principal
components and gone on with from the last layout, so that the map that people look at moves slowly. Pure numpy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

MIN_VECTORS = 8  # fewer span no plane worth drawing
FIRST_STEPS = 200  # of 320 items: about a second
MORE_STEPS = 20
SHARPNESS = 10.0  # of the likeness exp(SHARPNESS * cosine): the scale by which the model ranks
EARLY_PULL, EARLY_STEPS = 4.0, 80  # clusters form while likeness counts so much more
GROWN_RATIO = 1.5  # so many more items than before are laid out anew
MOMENTUM = 0.8
EDGE_RATIO = 0.95  # items within the circle of radius 1
NUM_AMONG = 6  # items that decide where a user lies


@dataclass(frozen=True)
class Projection:
    """Where some items lie, and by that everything else.

    Attributes:
        item_ids: one a row.
        vectors: `[items, dim]` float32 of length 1.
        layout: `[items, 2]` float32, as the descent left them.
        scale: brings nearly all of them into the circle of radius 1.
    """

    item_ids: Sequence[str]
    vectors: Array
    layout: Array
    scale: float

    @classmethod
    def fit(cls, item_ids: Sequence[str], vectors: Array, before: Self | None = None) -> Self | None:
        """Lay items out; takes about a second the first time, a tenth of it later.

        Args:
            item_ids: one a row of `vectors`, no two equal.
            vectors: `[items, dim]` float32 of length 1.
            before: the layout that people look at now.

        Returns:
            None where there are too few vectors.
        """
        if len(vectors) < MIN_VECTORS:
            return before
        if before is None or len(vectors) > GROWN_RATIO * len(before.vectors):
            layout = _descend(_attraction(vectors), _principal(vectors), FIRST_STEPS, EARLY_STEPS)
        else:
            layout = _descend(_attraction(vectors), before._start(item_ids, vectors), MORE_STEPS, 0)
        radius = float(np.quantile(np.linalg.norm(layout, axis=1), EDGE_RATIO))
        return cls(item_ids, vectors, layout, 1 / max(radius, 1e-9))

    def of(self, vectors: Array) -> Array:
        """`[n, dim]` to `[n, 2]`: amid the items that are nearest, the nearer the more."""
        return self._among(vectors) * np.float32(self.scale)

    @property
    def places(self) -> Array:
        """`[items, 2]`, where the items themselves lie."""
        return self.layout * np.float32(self.scale)

    def _among(self, vectors: Array) -> Array:
        likeness = vectors @ self.vectors.T
        num_among = min(NUM_AMONG, len(self.vectors))
        nearest = np.argpartition(-likeness, num_among - 1, axis=1)[:, :num_among]
        weights = np.exp(2 * SHARPNESS * np.take_along_axis(likeness, nearest, axis=1))
        weights /= weights.sum(1, keepdims=True)
        return np.asarray(np.einsum("nk,nkd->nd", weights, self.layout[nearest]), np.float32)

    def _start(self, item_ids: Sequence[str], vectors: Array) -> Array:
        """Items where they were, new ones among those that they are like."""
        row_of = {item_id: row for row, item_id in enumerate(self.item_ids)}
        rows = np.array([row_of.get(item_id, -1) for item_id in item_ids])
        return np.where(rows[:, None] >= 0, self.layout[rows], self._among(vectors))


def _principal(vectors: Array) -> Array:
    centred = vectors - vectors.mean(0)
    _, _, components = np.linalg.svd(centred, full_matrices=False)
    return np.asarray(0.1 * centred @ components[:2].T, np.float32)


def _attraction(vectors: Array) -> Array:
    """`[items, items]`, how alike each pair is, all together 1."""
    like = np.exp(SHARPNESS * (vectors @ vectors.T))
    np.fill_diagonal(like, 0)
    like /= like.sum(1, keepdims=True)
    return np.asarray((like + like.T) / (2 * len(vectors)), np.float32)


def _descend(attraction: Array, places: Array, num_steps: int, num_early: int) -> Array:
    places, speed = places.copy(), np.zeros_like(places)
    rate = len(places) / 4
    for step in range(num_steps):
        pull = EARLY_PULL if step < num_early else 1.0
        speed = MOMENTUM * speed - rate * _gradient(attraction * pull, places)
        places += speed
    return places - places.mean(0)


def _gradient(attraction: Array, places: Array) -> Array:
    squares = (places**2).sum(1)
    apart = np.maximum(squares[:, None] + squares - 2 * places @ places.T, 0)
    near = 1 / (1 + apart)
    np.fill_diagonal(near, 0)
    force = (attraction - near / near.sum()) * near
    return 4 * (force.sum(1, keepdims=True) * places - force @ places)
