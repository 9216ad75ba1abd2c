"""Which settings a saved state cannot do without, and which cannot go together."""

from typing import Any

import pytest

from stream.errors import ConfigError
from stream.flow.manifests import check_fingerprint, fingerprint
from stream.settings import Settings


@pytest.mark.parametrize(
    ("name", "before", "now"),
    [("encoder", "gru", "linear"), ("head", "point", "variational"), ("optimiser", "adam", "adagrad")],
)
def test_a_checkpoint_of_another_encoder_head_or_optimiser_is_refused_by_name(name, before, now):
    one: dict[str, Any] = {name: before}
    other: dict[str, Any] = {name: now}
    with pytest.raises(ConfigError, match=f"{name} was '{before}' and is '{now}'"):
        check_fingerprint(fingerprint(Settings.load(**one)), fingerprint(Settings.load(**other)))


def test_full_softmax_is_refused_for_a_large_catalogue_and_taken_for_a_small_one():
    assert Settings.load(loss="full_softmax", max_items=20_000).loss == "full_softmax"
    with pytest.raises(ConfigError, match="set max_items to at most 20000, or loss=sampled_softmax"):
        Settings.load(loss="full_softmax", max_items=20_001)
