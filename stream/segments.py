"""Users grouped by interest: spherical k-means. Plain numpy; knows nothing of Kafka."""

from typing import NamedTuple

import numpy as np

from models.saving import Array

MOST_ROUNDS = 50
CHUNK = 65_536  # vectors compared at a time: their cosines with 100 centres are 26 MB


class Segments(NamedTuple):
    """Groups of vectors, the largest first.

    Attributes:
        centres: `[k, dim]` float32 of length 1.
        labels: `[n]` int32, the segment of each vector.
        cosines: `[n]` float32, of each vector with the centre of its segment.
    """

    centres: Array
    labels: Array
    cosines: Array


def spherical_k_means(vectors: Array, k: int, seed: int = 0) -> Segments:
    """Group unit vectors so that each is near the direction of its group (Dhillon and Modha 2001).

    Args:
        vectors: `[n, dim]` float32 of length 1.
        k: how many groups at the most; fewer where fewer vectors differ.
        seed: of the first centres, chosen far from each other (k-means++).
    """
    centres = _first_centres(vectors, k, np.random.default_rng(seed))
    labels, cosines = _nearest(vectors, centres)
    for _ in range(MOST_ROUNDS):
        centres = _directions(vectors, labels, centres)
        before, (labels, cosines) = labels, _nearest(vectors, centres)
        if np.array_equal(before, labels):
            break
    sizes = np.bincount(labels, minlength=len(centres))
    order = np.argsort(-sizes, kind="stable")[: int((sizes > 0).sum())]
    place = np.zeros(len(centres), np.int32)
    place[order] = np.arange(len(order))
    return Segments(centres[order], place[labels], cosines)


def _first_centres(vectors: Array, k: int, rng: np.random.Generator) -> Array:
    chosen = [int(rng.integers(len(vectors)))]
    distance = 1 - vectors @ vectors[chosen[0]]
    while len(chosen) < k:
        weights = np.maximum(distance, 0) * (distance > 1e-6)
        if not weights.any():
            break
        chosen.append(int(rng.choice(len(vectors), p=weights / weights.sum())))
        distance = np.minimum(distance, 1 - vectors @ vectors[chosen[-1]])
    return vectors[chosen]


def _nearest(vectors: Array, centres: Array) -> tuple[Array, Array]:
    labels, cosines = np.zeros(len(vectors), np.int32), np.zeros(len(vectors), np.float32)
    for start in range(0, len(vectors), CHUNK):
        part = slice(start, start + CHUNK)
        found = vectors[part] @ centres.T
        labels[part] = found.argmax(1)
        cosines[part] = found.max(1)
    return labels, cosines


def _directions(vectors: Array, labels: Array, centres: Array) -> Array:
    """The mean direction of each group; a group without any keeps its centre."""
    sums = np.zeros_like(centres)
    np.add.at(sums, labels, vectors)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.where(lengths > 1e-9, sums / np.maximum(lengths, 1e-9), centres)
