"""Message types from the text of .proto files, compiled by protoc. Knows no registry."""

import importlib.resources
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from grpc_tools import protoc

from stream.errors import EventError


def message_type(files: Mapping[str, str | bytes], main: str, path: Sequence[int]) -> Descriptor:
    """A message type of a file.

    Args:
        files: each file's text, or its serialized descriptor, by the name by which others import it.
        main: the file that has the type.
        path: the type's number in the file, the number of one nested in it, and so on.

    Raises:
        EventError: protoc does not take the files, or there is no such type.
    """
    pool = DescriptorPool()
    for file in _descriptors(files, main).file:
        pool.Add(file)
    found: Any = pool.FindFileByName(main)
    types = list(found.message_types_by_name.values())
    for number in path:
        if not 0 <= number < len(types):
            raise EventError("no_schema", f"expected message type {list(path)} in the schema, which has none")
        wanted: Descriptor = types[number]
        types = list(wanted.nested_types)
    return wanted


def _descriptors(files: Mapping[str, str | bytes], main: str) -> FileDescriptorSet:
    """All files that are needed, imported ones first."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        serialized = FileDescriptorSet()
        for file, text in files.items():
            if isinstance(text, str):
                _write(folder, file, text)
            else:
                serialized.file.append(_named(file, text))
        (folder / "in").write_bytes(serialized.SerializeToString())
        known = importlib.resources.files("grpc_tools") / "_proto"  # google/protobuf/timestamp.proto and its like
        options = [f"-I{folder}", f"-I{known}", "--include_imports", f"--descriptor_set_out={folder / 'out'}"]
        if serialized.file:
            options.append(f"--descriptor_set_in={folder / 'in'}")
        if protoc.main(["protoc", *options, main]) != 0:
            raise EventError("no_schema", "expected a schema that protoc takes; what it says is on stderr")
        return FileDescriptorSet.FromString((folder / "out").read_bytes())


def _write(folder: Path, file: str, text: str) -> None:
    path = (folder / file).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise EventError("no_schema", f"expected a file name within a folder, got {file!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _named(file: str, serialized: bytes) -> FileDescriptorProto:
    try:
        descriptor = FileDescriptorProto.FromString(serialized)
    except DecodeError:
        raise EventError("no_schema", f"expected a file descriptor in base64 as {file}") from None
    descriptor.name = file
    return descriptor
