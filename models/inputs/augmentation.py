"""Other windows that could have led to the same event: what replay may learn from. Plain numpy.

A step on a past example sees a window that was cropped, lost positions, was shuffled a little, or holds items that are
visited together with those that were there (as in CL4SRec, Xie et al. 2022, and CoSeRec, Liu et al. 2021).
"""

from dataclasses import dataclass, fields

import numpy as np

from models.config import ModelConfig
from models.counting.memory import CountingMemory
from models.inputs.features import WindowBatch

REORDERED = 3  # neighbouring positions that may change places


@dataclass(frozen=True)
class AugmentationPolicy:
    """Attributes:
    crop: share of windows that lose a random number of their oldest positions.
    mask: share of positions that are emptied; never the newest.
    reorder: share of windows whose newest few positions are shuffled.
    substitute: share of items that give way to one that was visited after them.
    """

    crop: float = 0.0
    mask: float = 0.0
    reorder: float = 0.0
    substitute: float = 0.0

    @property
    def is_idle(self) -> bool:
        """Nothing would change."""
        return not (self.crop or self.mask or self.reorder or self.substitute)


def augmentation_policy(config: ModelConfig) -> AugmentationPolicy:
    """The augmentation's slice of the settings."""
    return AugmentationPolicy(config.crop, config.mask, config.reorder, config.substitute)


def augment(
    windows: WindowBatch, policy: AugmentationPolicy, memory: CountingMemory, rng: np.random.Generator
) -> WindowBatch:
    """A changed copy; none becomes empty, and empty positions stay empty."""
    if policy.is_idle:
        return windows
    shuffled = _reordered(windows, policy.reorder, rng)
    slots = _substituted(shuffled.slots, policy.substitute, memory, rng)
    is_dropped = _cropped(slots, policy.crop, rng) | _masked(slots, policy.mask, rng)
    columns = {f.name: getattr(shuffled, f.name) for f in fields(WindowBatch)} | {"slots": slots}
    return WindowBatch(**{name: np.where(is_dropped, np.zeros_like(c), c) for name, c in columns.items()})


def _cropped(slots: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    num_left = rng.integers(1, 1 + np.maximum((slots != 0).sum(1), 1))
    is_chosen = rng.random(len(slots)) < ratio
    age = (slots != 0)[:, ::-1].cumsum(1)[:, ::-1]
    return is_chosen[:, None] & (age > num_left[:, None])


def _masked(slots: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    is_newest = (slots != 0)[:, ::-1].cumsum(1)[:, ::-1] == 1
    return (rng.random(slots.shape) < ratio) & ~is_newest


def _reordered(windows: WindowBatch, ratio: float, rng: np.random.Generator) -> WindowBatch:
    """Shuffles the newest positions where all of them are taken."""
    batch, time = windows.slots.shape
    few = min(REORDERED, time)
    order = np.tile(np.arange(time), (batch, 1))
    is_chosen = (rng.random(batch) < ratio) & (windows.slots[:, -few:] != 0).all(1)
    draws = rng.random((batch, few))
    order[is_chosen, -few:] = time - few + draws.argsort(1)[is_chosen]
    return WindowBatch(*(np.take_along_axis(getattr(windows, f.name), order, axis=1) for f in fields(windows)))


def _substituted(slots: np.ndarray, ratio: float, memory: CountingMemory, rng: np.random.Generator) -> np.ndarray:
    """Only items that the memory knows a successor of change."""
    is_chosen = (rng.random(slots.shape) < ratio) & (slots > 0)
    changed = slots.copy()
    if is_chosen.any():
        windows = np.zeros((int(is_chosen.sum()), memory.components.window), np.int32)
        windows[:, -1] = slots[is_chosen]
        successors = memory.sample_successors(memory.recent_items(windows), 1, rng)[:, 0]
        changed[is_chosen] = np.where(successors > 0, successors, slots[is_chosen])
    return changed
