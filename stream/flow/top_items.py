"""Recommendations by item id: what the learner ranks first, without what the user has just had."""

from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np

from models.inputs.features import PURCHASE, WindowBatch
from models.mixture.recommend import RecommendPolicy
from models.saving import Array
from models.serving.reader import Reader

LeaveOut = Literal["nothing", "bought", "seen"]
TopItems = list[tuple[str, float]]

SCORE_DECIMALS = 6  # of a probability


@dataclass(frozen=True)
class TopItemsPolicy:
    """Attributes:
    count: items of a list, 0 for no list.
    leave_out: which of the items in the user's window are not wanted.
    diversity: see `RecommendPolicy`.
    """

    count: int
    leave_out: LeaveOut = "bought"
    diversity: float = 0.0


NO_TOP_ITEMS = TopItemsPolicy(count=0)


def top_items(reader: Reader, windows: WindowBatch, policy: TopItemsPolicy) -> list[TopItems]:
    """A list for each of `[n]` whole windows, best first: item ids, and how probable each is as the next one."""
    wanted = RecommendPolicy(policy.count, policy.diversity)
    slots, scores = reader.recommend(windows, unwanted(windows, policy.leave_out), wanted)
    names = iter(reader.items.names_of(slots.reshape(-1)))
    return [
        [(name, round(score, SCORE_DECIMALS)) for name, score in zip(islice(names, len(row)), row, strict=True) if name]
        for row in scores.tolist()
    ]


def unwanted(windows: WindowBatch, leave_out: LeaveOut) -> Array:
    """`[n, time]` int32 item slots that are left out, 0 for none."""
    items = np.maximum(windows.slots, 0)
    if leave_out == "seen":
        return items
    return np.where((windows.kinds == PURCHASE) & (leave_out == "bought"), items, 0)
