"""Message types from .proto texts."""

import pytest

from stream.errors import EventError
from stream.foreign.protos import message_type

TEXT = 'syntax = "proto3"; message A { message B { message C { string x = 1; } } } message D { string x = 1; }'


@pytest.mark.parametrize(("path", "name"), [((0,), "A"), ((1,), "D"), ((0, 0), "A.B"), ((0, 0, 0), "A.B.C")])
def test_a_path_leads_to_a_nested_type(path: tuple[int, ...], name: str):
    assert message_type({"s.proto": TEXT}, "s.proto", path).full_name == name


@pytest.mark.parametrize("path", [(2,), (-1,), (1, 0), (0, 0, 0, 0)])
def test_a_path_to_no_type_is_refused(path: tuple[int, ...]):
    with pytest.raises(EventError, match="no_schema: expected message type"):
        message_type({"s.proto": TEXT}, "s.proto", path)


@pytest.mark.parametrize(
    "files",
    [
        {"s.proto": "message"},
        {"s.proto": 'syntax = "proto3"; import "other.proto";'},
        {"s.proto": TEXT, "../s.proto": TEXT},
        {"s.proto": b"\xff"},
    ],
    ids=["no proto", "missing import", "outside of the folder", "no descriptor"],
)
def test_files_that_are_no_schema_are_refused(files: dict[str, str | bytes]):
    with pytest.raises(EventError, match="no_schema"):
        message_type(files, "s.proto", (0,))


def test_the_order_of_types_is_the_files():
    text = 'syntax = "proto3"; message Z { string x = 1; } message A { string x = 1; message Y {} message B {} }'
    assert message_type({"s.proto": text}, "s.proto", (0,)).full_name == "Z"
    assert message_type({"s.proto": text}, "s.proto", (1, 0)).full_name == "A.Y"
