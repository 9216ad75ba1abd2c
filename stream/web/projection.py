"""Vectors on a map: the two directions in which items differ most, turned so that the map before stays where it was.

Pure numpy.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

MIN_VECTORS = 8  # fewer span no plane worth drawing
EDGE_RATIO = 0.95  # items within the circle of radius 1


@dataclass(frozen=True)
class Projection:
    """A linear map to the plane.

    Attributes:
        centre: `[dim]` float32, comes to lie at 0.
        axes: `[dim, 2]` float32.
    """

    centre: Array
    axes: Array

    @classmethod
    def fit(cls, vectors: Array, before: Self | None = None) -> Self | None:
        """Principal components of the vectors; turned and mirrored to match `before` as well as can be.

        Args:
            vectors: `[items, dim]` float32.
            before: the projection that people look at now.

        Returns:
            None where there are too few vectors.
        """
        if len(vectors) < MIN_VECTORS:
            return before
        centre = vectors.mean(0)
        _, _, components = np.linalg.svd(vectors - centre, full_matrices=False)
        axes = components[:2].T
        if before is not None and before.axes.shape == axes.shape:
            axes = axes @ _turn((vectors - centre) @ axes, before.of(vectors))
        radius = np.quantile(np.linalg.norm((vectors - centre) @ axes, axis=1), EDGE_RATIO)
        return cls(centre, (axes / max(float(radius), 1e-9)).astype(np.float32))

    def of(self, vectors: Array) -> Array:
        """`[n, dim]` to `[n, 2]`."""
        return np.asarray((vectors - self.centre) @ self.axes, np.float32)


def _turn(points: Array, onto: Array) -> Array:
    """The orthogonal `[2, 2]` that brings `points` nearest to `onto` (Procrustes)."""
    left, _, right = np.linalg.svd(points.T @ (onto - onto.mean(0)))
    return np.asarray(left @ right, np.float32)
