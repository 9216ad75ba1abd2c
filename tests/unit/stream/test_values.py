"""That the settings of cleaning reach what the model learns from."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stream.flow.slices import updater_policy
from stream.records.events import Click
from stream.settings import Settings
from stream.users.values import REFRESH
from tests.support.builders import NOW_MS, a_chunk
from tests.support.small import SMALL_POLICY, a_small_updater


def learned_values(**changes: Any) -> np.ndarray:
    """The newest values of the windows that wait to be learned, after many usual clicks and a mad one."""
    said = updater_policy(Settings.load(**changes))
    updater = a_small_updater(policy=replace(SMALL_POLICY, values=said.values, value_filter=said.value_filter))
    values = [*(10.0 + n % 5 for n in range(REFRESH)), 1e9, 10.0]
    clicks = [Click("u1", f"i{n % 9}", NOW_MS - 500 + n, value=value) for n, value in enumerate(values)]
    updater.process([a_chunk(clicks)])
    return updater.learner.waiting.windows.values[:, -1]


def test_without_cleaning_the_model_sees_values_as_they_are():
    assert learned_values()[-1] == 1.0


@pytest.mark.parametrize(
    ("changes", "low", "high"),
    [
        ({"value_outlier_deviations": 3.0}, 0.3, 0.45),
        ({"value_filter": "median"}, 0.3, 0.35),
        ({"value_filter": "low_pass"}, 0.4, 0.7),
        ({"value_quantiles": True, "value_outlier_deviations": 3.0}, 0.9, 1.0),
    ],
)
def test_each_setting_changes_what_the_model_sees_of_a_mad_value(changes, low, high):
    assert low <= learned_values(**changes)[-1] <= high
