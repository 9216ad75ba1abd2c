"""Which items stand against a target: half drawn from recent targets, half uniformly. Plain numpy."""

import numpy as np

from models.batches import Candidates
from models.examples import ReplayRing

_NEVER = np.float32(1e9)  # log q of a sample that must not count


def sample_items(
    count: int, ring: ReplayRing, is_seen: np.ndarray, in_use: range, rng: np.random.Generator
) -> Candidates:
    """Items from a distribution known exactly, at a cost that does not grow with the catalogue.

    Args:
        count: how many, with repetition.
        ring: past examples.
        is_seen: `[items]` bool; slots not seen yet, or no longer, are drawn but do not count.
        in_use: the item slots that were ever given out.
        rng: the source of randomness.
    """
    num_uniform = count // 2 if len(ring) else count
    slots = np.zeros(count, np.int32)
    if in_use:
        slots[:num_uniform] = rng.integers(in_use.start, in_use.stop, num_uniform)
    if len(ring):
        slots[num_uniform:] = ring.sample_targets(count - num_uniform, rng)
    expected = num_uniform / max(len(in_use), 1) + (count - num_uniform) * ring.frequency[slots] / max(len(ring), 1)
    log_q = np.log(np.maximum(expected, 1e-9)).astype(np.float32)
    return Candidates(slots, np.where(is_seen[slots], log_q, _NEVER))
