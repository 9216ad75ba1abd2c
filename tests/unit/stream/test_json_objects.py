from typing import Any

import msgspec
import numpy as np
import pytest

from stream.records.json_objects import JSON_DECIMALS, MORE_DECIMALS, json_objects

DRAWN = np.random.default_rng(0)


def test_objects_say_what_they_were_made_of():
    vectors = DRAWN.uniform(-1, 1, (50, 64)).astype(np.float32)
    others = np.flip(vectors)
    wholes, decimals = DRAWN.integers(2**60, size=50), DRAWN.uniform(-10, 10, 50)
    members: dict[str, Any] = {
        "a": 7,
        "of": [b'"%d"' % i for i in range(50)],
        "v": vectors,
        "w": others,
        "n": wholes,
        "x": decimals,
    }

    objects = list(map(msgspec.json.decode, json_objects(members).apart()))

    assert [list(one) for one in objects] == [list(members)] * 50
    assert [(one["a"], one["of"]) for one in objects] == [(7, str(i)) for i in range(50)]
    assert [one["n"] for one in objects] == wholes.tolist()
    assert np.allclose([one["x"] for one in objects], decimals, rtol=0, atol=0.51 * 10**-MORE_DECIMALS)
    for name in ("v", "w"):
        said = np.array([one[name] for one in objects])
        assert np.allclose(said, members[name], rtol=0, atol=0.51 * 10**-JSON_DECIMALS + 1e-7)


def test_the_ends_of_each_range_are_written_as_they_are():
    ends = {"n": np.array([0, 2**63 - 1]), "x": np.array([-9.999999, -1e-9]), "v": np.array([[1, -1], [0, -1e-9]])}
    ends["v"] = ends["v"].astype(np.float32)
    assert json_objects(ends).apart() == [
        b'{"n":0,"x":-9.999999,"v":[1.00000,-1.00000]}',
        b'{"n":9223372036854775807,"x":0.000000,"v":[0.00000,0.00000]}',
    ]


def test_two_columns_of_texts_each_stand_in_their_place():
    assert json_objects({"a": [b"1", b"null"], "b": [b"[]", b"{}"], "c": 3}).apart() == [
        b'{"a":1,"b":[],"c":3}',
        b'{"a":null,"b":{},"c":3}',
    ]


def test_no_rows_are_no_objects():
    assert json_objects({"of": [], "v": np.zeros((0, 64), np.float32)}).apart() == []


@pytest.mark.parametrize(
    "column",
    [
        np.array([[0.5, 1.001]], np.float32),
        np.array([[np.nan, 0]], np.float32),
        np.array([[-np.inf, 0]], np.float32),
        np.array([10.0]),
        np.array([9.9999999]),
        np.array([np.nan]),
        np.array([-1]),
    ],
)
def test_numbers_that_have_no_place_are_refused(column):
    with pytest.raises(ValueError, match="expected"):
        json_objects({"x": column})


@pytest.mark.parametrize("members", [{"n": np.arange(2), "of": [b"1"]}, {"of": [b"1"], "n": np.arange(2)}])
def test_columns_of_different_lengths_are_refused(members):
    with pytest.raises(ValueError, match="one length"):
        json_objects(members)
