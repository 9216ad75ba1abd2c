"""Clicks that a purchase followed: each is learned again as the purchase that it became. Plain numpy."""

import numpy as np

from models.inputs.features import CLICK, PURCHASE, Examples, WindowBatch


def credited(examples: Examples) -> Examples:
    """For each purchase of an item that its window shows as clicked: what led to the newest of these clicks.

    Args:
        examples: events of any kind and the windows before them.

    Returns:
        The windows before those clicks, with the item as target and `PURCHASE` as kind, in the order of the purchases;
        none where nothing came before the click.
    """
    windows = examples.windows
    is_click = (windows.slots == examples.targets[:, None]) & (windows.kinds == CLICK) & (windows.slots > 0)
    at = np.flatnonzero((examples.kinds == PURCHASE) & is_click.any(1))
    time = windows.slots.shape[1]
    newest = time - 1 - is_click[at, ::-1].argmax(1)
    before = _up_to(windows.take(at), newest)
    led_to = np.flatnonzero((before.slots != 0).any(1))
    return Examples(before.take(led_to), examples.targets[at[led_to]], examples.kinds[at[led_to]])


def _up_to(windows: WindowBatch, ends: np.ndarray) -> WindowBatch:
    """The positions before column `ends` `[batch]`, moved to the right."""
    column = np.arange(windows.slots.shape[1])
    return windows.keep(column[None, :] < ends[:, None])
