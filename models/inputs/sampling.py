"""Which items stand against a target: half drawn from recent targets, half uniformly. Plain numpy."""

import numpy as np

from models.inputs.batches import Candidates
from models.inputs.examples import ReplayRing

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


def all_items(is_seen: np.ndarray) -> Candidates:
    """Every item that was seen stands for itself; `is_seen`: `[items]` bool."""
    slots = np.where(is_seen, np.arange(len(is_seen)), 0).astype(np.int32)
    return Candidates(slots, np.where(is_seen, np.float32(0.0), _NEVER))


def join_known(known: np.ndarray, room: int, sampled: Candidates) -> Candidates:
    """Items that stand for themselves, then a sample that stands for all others.

    A sum over the catalogue is dominated by few items that a sample seldom meets; where they can be guessed, summing
    them exactly leaves the sample little to get wrong.

    Args:
        known: `[known]` int32 distinct slots.
        room: the number that `known` is padded to.
        sampled: of all items; those among `known` do not count.
    """
    slots, log_q = np.zeros(room, np.int32), np.full(room, _NEVER)
    slots[: len(known)], log_q[: len(known)] = known, 0.0
    others = np.where(np.isin(sampled.slots, known), _NEVER, sampled.log_q)
    return Candidates(np.concatenate([slots, np.asarray(sampled.slots)]), np.concatenate([log_q, others]))
