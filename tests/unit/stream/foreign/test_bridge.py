"""What the bridge makes of a record before it is mapped."""

import json
from typing import Any

import pytest

from stream.foreign.bridge import _enveloped


class AMessage:
    """A record with headers."""

    def __init__(self, **headers: bytes) -> None:
        self._headers = list(headers.items())

    def headers(self) -> list[tuple[str, bytes]]:
        return self._headers


def test_a_cloudevent_in_binary_mode_is_as_in_json():
    message: Any = AMessage(ce_specversion=b"1.0", ce_type=b"click", ce_id=b"x1", other=b"1")
    found = json.loads(_enveloped(b'{"item_id": "i1"}', message))
    assert found == {"specversion": "1.0", "type": "click", "id": "x1", "data": {"item_id": "i1"}}


@pytest.mark.parametrize("headers", [{}, {"ce_type": b"click"}, {"specversion": b"1.0"}])
def test_any_other_record_is_as_it_was(headers: dict[str, bytes]):
    message: Any = AMessage(**headers)
    assert _enveloped(b"{}", message) == b"{}"
