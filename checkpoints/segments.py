"""Numbered segments on disk, each written atomically and checked when it is read. Knows nothing of what they mean."""

import contextlib
import logging
import math
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orbax.checkpoint as ocp
import xxhash
from orbax.checkpoint.type_handlers import NumpyHandler, create_type_handler_registry

from checkpoints.changes import Array
from checkpoints.durable import sync_directory

DRAFT = ".draft-"  # in the name of a segment that is being written, before a name of its own
DELETED = ".deleted"  # the ending of one that is being removed
PACKED = "packed"  # what small arrays are stored in
SLACK_BYTES = 2**20  # of room for the files around the arrays
LEAST_ALONE_BYTES = 4 * 2**20  # smaller arrays share one: Orbax needs a millisecond for each, and keeps memory

_one_at_a_time = threading.Lock()


class CorruptSegmentError(Exception):
    """What is on disk is not what was written."""


class Segments:
    """Segments in one directory: arrays by name, and a JSON object. Orbax writes them beside; then they are renamed.

    Small arrays are packed into one. The JSON keeps where each is, and a checksum (xxh3) of what is stored.

    Args:
        directory: made where it is missing.

    Attributes:
        directory: where they are.
    """

    def __init__(self, directory: Path) -> None:
        self._heads: dict[int, dict[str, Any]] = {}
        self.directory = directory.resolve()
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def numbers(self) -> list[int]:
        """The complete segments, ascending."""
        return sorted(int(path.name) for path in self.directory.iterdir() if path.name.isdigit())

    def write(
        self,
        number: int,
        arrays: Mapping[str, Array],
        about: Mapping[str, Any],
        confirm: Callable[[], None] = lambda: None,
    ) -> None:
        """Write a segment; when this returns it is complete, and before it is not there at all.

        Args:
            number: not yet taken.
            arrays: by name.
            about: a JSON object.
            confirm: as of `draft`.

        Raises:
            OSError: the disk refuses, or has less room than the arrays need; nothing is left of it.
        """
        with self.draft(number, confirm) as draft:
            num_bytes = self.fill(draft, arrays, about)
        self._heads[number] = {"about": dict(about), "num_bytes": num_bytes}

    @contextlib.contextmanager
    def draft(self, number: int, confirm: Callable[[], None] = lambda: None) -> Iterator[Path]:
        """Where a segment is to be written; it is published when the context is left, and cleared by an error.

        The next owner of the directory removes drafts before it reads, so one that slept has nothing left to publish.

        Args:
            number: not yet taken.
            confirm: asked when all is written and only the name is missing; what it raises leaves no segment.

        Raises:
            OSError: it could not be written.
        """
        draft = self.directory / f"{number}{DRAFT}{uuid.uuid4().hex}"
        try:
            yield draft
            confirm()
            draft.rename(self._path(number))
            sync_directory(self.directory)
        except Exception as error:
            self._clear(f"{draft.name}*")  # not others of this number: they may be the next owner's
            if isinstance(error, (OSError, ValueError, RuntimeError)):
                raise OSError(f"segment {number} could not be written: {error}") from error
            raise

    def fill(self, draft: Path, arrays: Mapping[str, Array], about: Mapping[str, Any]) -> int:
        """Write all that a segment holds into its draft; returns the arrays' bytes before compression."""
        stored, index = _packed(arrays)
        num_bytes = sum(array.nbytes for array in stored.values())
        meta = {
            "about": dict(about),
            "num_bytes": num_bytes,
            "index": index,
            "checksums": {name: _checksum(array) for name, array in stored.items()},
        }
        items = {"about": ocp.args.JsonSave(meta)} | ({"arrays": ocp.args.PyTreeSave(stored)} if stored else {})
        self._check_room(num_bytes + SLACK_BYTES)
        with _checkpointer() as checkpointer:
            checkpointer.save(draft, args=ocp.args.Composite(**items))
        return num_bytes

    def about(self, number: int) -> dict[str, Any]:
        """The JSON object of a segment.

        Raises:
            CorruptSegmentError: it cannot be read.
        """
        return self._head(number)["about"]

    def num_bytes(self, number: int) -> int:
        """Bytes of a segment's arrays before compression."""
        return self._head(number)["num_bytes"]

    def arrays(self, number: int) -> dict[str, Array]:
        """The arrays of a segment.

        Raises:
            CorruptSegmentError: they cannot be read, or are not what was written.
        """
        meta = self._meta(number)
        if "index" not in meta:
            raise CorruptSegmentError(f"{self._path(number)} is of an earlier layout, which this version cannot read")
        as_numpy = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in meta["checksums"]}
        items = ocp.args.Composite(arrays=ocp.args.PyTreeRestore(restore_args=as_numpy))
        stored = self._restored(number, items)["arrays"] if as_numpy else {}
        for name, checksum in meta["checksums"].items():
            if name not in stored or _checksum(stored[name]) != checksum:
                raise CorruptSegmentError(f"{self._path(number)}: {name} is not what was written")
        return _unpacked(stored, meta["index"])

    def delete(self, number: int) -> None:
        """Remove a segment: it is gone at once, its files a little later."""
        self._heads.pop(number, None)
        gone = self._path(number).with_suffix(DELETED)
        with contextlib.suppress(FileNotFoundError):
            self._path(number).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def clear_unfinished(self) -> None:
        """Remove what writes and deletions of a process that died have left."""
        for pattern in (f"*{DRAFT}*", f"*{DELETED}"):
            self._clear(pattern)

    def _clear(self, pattern: str) -> None:
        for path in self.directory.glob(pattern):
            shutil.rmtree(path, ignore_errors=True)

    def _check_room(self, num_bytes: int) -> None:
        """Fail here, in one piece, where the disk is full: Orbax fails in several threads, and goes on with others."""
        with tempfile.TemporaryFile(dir=self.directory) as file:
            os.posix_fallocate(file.fileno(), 0, num_bytes)

    def _path(self, number: int) -> Path:
        return self.directory / str(number)

    def _head(self, number: int) -> dict[str, Any]:
        if number not in self._heads:
            meta = self._meta(number)
            self._heads[number] = {"about": meta["about"], "num_bytes": meta["num_bytes"]}
        return self._heads[number]

    def _meta(self, number: int) -> dict[str, Any]:
        return self._restored(number, ocp.args.Composite(about=ocp.args.JsonRestore()))["about"]

    def _restored(self, number: int, items: Any) -> Any:
        try:
            with _checkpointer() as checkpointer:
                return checkpointer.restore(self._path(number), args=items)
        except Exception as error:
            raise CorruptSegmentError(f"{self._path(number)} cannot be read: {error}") from error


@contextlib.contextmanager
def _checkpointer() -> Iterator[Any]:
    """Orbax, one thread at a time: two mix up their files and event loops, though it does not say so.

    Without OCDBT: for each array it would ask TensorStore for JSON, which keeps 1 KB of it for good (0.1.86). Without
    compression: most of what is stored are floats, of which it takes a tenth at ten times the cost of writing. Without
    a copy: nobody changes an array that has been handed over.
    """
    with _one_at_a_time, _quiet(logging.getLogger("absl")):
        as_given = create_type_handler_registry((np.ndarray, NumpyHandler(deepcopy_host_arrays=False)))
        arrays = ocp.PyTreeCheckpointHandler(use_ocdbt=False, use_compression=False, type_handler_registry=as_given)
        handlers = {"arrays": arrays, "about": ocp.JsonCheckpointHandler()}
        with ocp.Checkpointer(ocp.CompositeCheckpointHandler(**handlers)) as checkpointer:
            yield checkpointer


@contextlib.contextmanager
def _quiet(log: logging.Logger) -> Iterator[None]:
    """Without what Orbax says of OCDBT files that are not there; what goes wrong it raises."""
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _packed(arrays: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, list[Any]]]:
    """What is stored, and where each array is in it: dtype, shape, name of what is stored, first byte."""
    stored: dict[str, Array] = {}
    index: dict[str, list[Any]] = {}
    small: list[Array] = []
    start = 0
    for name, given in arrays.items():
        array = np.asarray(given, order="C")
        if array.nbytes >= LEAST_ALONE_BYTES:
            index[name] = [array.dtype.str, list(array.shape), str(len(stored)), 0]
            stored[str(len(stored))] = array
        else:
            index[name] = [array.dtype.str, list(array.shape), PACKED, start]
            small.append(_as_bytes(array))
            start += array.nbytes
    if start:
        stored[PACKED] = np.concatenate(small)
    return stored, index


def _unpacked(stored: Mapping[str, Array], index: Mapping[str, list[Any]]) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    for name, (dtype, shape, where, start) in index.items():
        if where == PACKED:
            num_bytes = math.prod(shape) * np.dtype(dtype).itemsize
            of_array = stored[PACKED][start : start + num_bytes] if num_bytes else np.zeros(0, np.uint8)
            arrays[name] = of_array.copy().view(dtype).reshape(shape)
        else:
            arrays[name] = stored[where]
    return arrays


def _as_bytes(array: Array) -> Array:
    return array.reshape(-1).view(np.uint8)


def _checksum(array: Array) -> str:
    """xxh3. `update` lets other threads have the interpreter, which the functions for a whole keep: 8 ms for 50 MB."""
    digest = xxhash.xxh3_64()
    digest.update(_as_bytes(np.ascontiguousarray(array)).data)
    return digest.hexdigest()
