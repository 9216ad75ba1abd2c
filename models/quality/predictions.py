"""Judged predictions as rows of one array, and the figures that follow from their ranks. Plain numpy.

Each prediction has one relevant item, the one that came next: precision@k is recall@k / k, accuracy is recall@1.
"""

import numpy as np

from models.quality.evaluation import RANKERS

PREDICTION = np.dtype(
    [
        ("part", np.int32),  # the stretch of the stream that it belongs to
        ("user", np.int32),
        ("kind", np.int8),  # of the event that was predicted
        ("is_judged", np.bool_),
        ("position", np.int64),  # clicks and purchases before it in the stream
        ("time_ms", np.int64),
        ("user_events", np.int32),  # clicks and purchases of its user before it
        ("pause_ms", np.int64),  # since the one before it of its user; -1 for none
        ("item_events", np.int32),  # occurrences of its item before it
        ("ranks", np.int32, (len(RANKERS),)),  # 0 the top, in the order of `RANKERS`
    ]
)

RECALL_AT = (1, 5, 10, 20)
MRR_AT = (10, 20)
NDCG_AT = 10

Array = np.ndarray


def gains(ranks: Array) -> dict[str, Array]:
    """What each prediction adds to each figure; a figure is the mean of its gains.

    Args:
        ranks: `[n]` int, 0 the top.

    Returns:
        `[n]` float64 by the figure's name.
    """
    place = ranks + 1.0
    hits = {k: (ranks < k).astype(np.float64) for k in RECALL_AT}
    recalls = {f"recall@{k}": hit for k, hit in hits.items()}
    mrrs = {f"mrr@{k}": np.where(ranks < k, 1 / place, 0.0) for k in MRR_AT}
    ndcg = {f"ndcg@{NDCG_AT}": np.where(ranks < NDCG_AT, 1 / np.log2(place + 1), 0.0)}
    precisions = {f"precision@{k}": hits[k] / k for k in RECALL_AT[1:]}
    f1s = {f"f1@{k}": 2 * hits[k] / (k + 1) for k in RECALL_AT[1:]}  # 2PR / (P + R) with P = R / k
    return {**recalls, **mrrs, **ndcg, "accuracy": hits[1], **precisions, **f1s}


def figures(predictions: Array) -> dict[str, dict[str, float]]:
    """All figures of all rankers, in [0, 1]: the plain mean over parts of each part's mean.

    Args:
        predictions: `[n]` of `PREDICTION`; without any, every figure is missing.
    """
    if not len(predictions):
        return {ranker: {} for ranker in RANKERS}
    return {
        ranker: {
            name: mean_over_parts(gain, predictions["part"])
            for name, gain in gains(predictions["ranks"][:, at]).items()
        }
        for at, ranker in enumerate(RANKERS)
    }


def mean_over_parts(values: Array, parts: Array) -> float:
    """The mean over parts of the mean of `[n]` values in each."""
    _, inverse, counts = np.unique(parts, return_inverse=True, return_counts=True)
    return float(np.mean(np.bincount(inverse, values) / counts))
