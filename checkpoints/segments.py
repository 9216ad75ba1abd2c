"""Numbered segments on disk, each written atomically and checked when it is read. Knows nothing of what they mean."""

import contextlib
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orbax.checkpoint as ocp
import xxhash

from checkpoints.changes import Array

UNFINISHED = ".orbax-checkpoint-tmp"  # in the name of a segment that is being written
DELETED = ".deleted"  # the ending of one that is being removed

_one_at_a_time = threading.Lock()


class CorruptSegmentError(Exception):
    """What is on disk is not what was written."""


class Segments:
    """Segments in one directory: arrays by name, and a JSON object. Orbax writes them beside and then renames them.

    Orbax refuses arrays without elements, so the JSON keeps their shapes, and a checksum (xxh3) of all others.

    Args:
        directory: made where it is missing.
    """

    def __init__(self, directory: Path) -> None:
        self._metas: dict[int, dict[str, Any]] = {}
        self._directory = directory.resolve()
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def numbers(self) -> list[int]:
        """The complete segments, ascending."""
        return sorted(int(path.name) for path in self._directory.iterdir() if path.name.isdigit())

    def write(self, number: int, arrays: Mapping[str, Array], about: Mapping[str, Any]) -> None:
        """Write a segment; when this returns it is complete, and before it is not there at all.

        Raises:
            OSError: the disk refuses; nothing is left of it.
        """
        there = {name: np.asarray(array, order="C") for name, array in arrays.items() if array.size}
        meta = {
            "about": dict(about),
            "num_bytes": sum(array.nbytes for array in there.values()),
            "empty": {name: [a.dtype.str, list(a.shape)] for name, a in arrays.items() if not a.size},
            "checksums": {name: _checksum(array) for name, array in there.items()},
        }
        items = {"about": ocp.args.JsonSave(meta)} | ({"arrays": ocp.args.PyTreeSave(there)} if there else {})
        try:
            with _checkpointer() as checkpointer:
                checkpointer.save(self._path(number), args=ocp.args.Composite(**items))
        except Exception as error:
            self.clear_unfinished(number)
            raise OSError(f"segment {number} could not be written: {error}") from error

    def about(self, number: int) -> dict[str, Any]:
        """The JSON object of a segment.

        Raises:
            CorruptSegmentError: it cannot be read.
        """
        return self._meta(number)["about"]

    def num_bytes(self, number: int) -> int:
        """Bytes of a segment's arrays before compression."""
        return self._meta(number)["num_bytes"]

    def arrays(self, number: int) -> dict[str, Array]:
        """The arrays of a segment.

        Raises:
            CorruptSegmentError: they cannot be read, or are not what was written.
        """
        meta = self._meta(number)
        as_numpy = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in meta["checksums"]}
        items = ocp.args.Composite(arrays=ocp.args.PyTreeRestore(restore_args=as_numpy))
        arrays = self._restored(number, items)["arrays"] if as_numpy else {}
        for name, checksum in meta["checksums"].items():
            if name not in arrays or _checksum(arrays[name]) != checksum:
                raise CorruptSegmentError(f"{self._path(number)}: {name} is not what was written")
        return {**arrays, **{name: np.zeros(shape, dtype) for name, (dtype, shape) in meta["empty"].items()}}

    def delete(self, number: int) -> None:
        """Remove a segment: it is gone at once, its files a little later."""
        self._metas.pop(number, None)
        gone = self._path(number).with_suffix(DELETED)
        with contextlib.suppress(FileNotFoundError):
            self._path(number).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def clear_unfinished(self, number: int | None = None) -> None:
        """Remove what writes that failed, or all writes and deletions of a process that died, have left."""
        every = (f"*{UNFINISHED}*", f"*{DELETED}")
        for pattern in every if number is None else (f"{number}{UNFINISHED}*",):
            for path in self._directory.glob(pattern):
                shutil.rmtree(path, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self._directory / str(number)

    def _meta(self, number: int) -> dict[str, Any]:
        if number not in self._metas:
            self._metas[number] = self._restored(number, ocp.args.Composite(about=ocp.args.JsonRestore()))["about"]
        return self._metas[number]

    def _restored(self, number: int, items: Any) -> Any:
        try:
            with _checkpointer() as checkpointer:
                return checkpointer.restore(self._path(number), args=items)
        except Exception as error:
            raise CorruptSegmentError(f"{self._path(number)} cannot be read: {error}") from error


@contextlib.contextmanager
def _checkpointer() -> Iterator[Any]:
    """Orbax, one thread at a time: two mix up their files and event loops, though it does not say so."""
    with _one_at_a_time:
        handlers = {"arrays": ocp.PyTreeCheckpointHandler(), "about": ocp.JsonCheckpointHandler()}
        with ocp.Checkpointer(ocp.CompositeCheckpointHandler(**handlers)) as checkpointer:
            yield checkpointer


def _checksum(array: Array) -> str:
    return xxhash.xxh3_64_hexdigest(np.ascontiguousarray(array).view(np.uint8).data)
