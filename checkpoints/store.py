"""Complete checkpoints on disk, written atomically with Orbax: all of one is there, or nothing of it.

Orbax refuses arrays without elements, so their dtypes and shapes are kept beside the others.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orbax.checkpoint as ocp

from checkpoints.manifest import Manifest, from_json, to_json

Array = np.ndarray[Any, np.dtype[Any]]
State = Mapping[str, Array]


class CheckpointStore:
    """The checkpoints in one directory, numbered upwards.

    Args:
        directory: absolute or relative; made where it is missing.
        kept: checkpoints kept; `save` deletes older ones.
    """

    def __init__(self, directory: Path, kept: int) -> None:
        options = ocp.CheckpointManagerOptions(max_to_keep=kept, enable_async_checkpointing=False)
        handlers = {
            "state": ocp.PyTreeCheckpointHandler(),
            "empty": ocp.JsonCheckpointHandler(),
            "manifest": ocp.JsonCheckpointHandler(),
        }
        self._manager = ocp.CheckpointManager(directory.resolve(), item_handlers=handlers, options=options)

    def save(self, state: State, manifest: Manifest) -> int:
        """Write one more checkpoint and return its number. Blocks; a crash in the middle leaves the older ones alone.

        Args:
            state: arrays by name.
            manifest: what they are.
        """
        number = (self.latest() or 0) + 1
        empty = {name: [array.dtype.str, list(array.shape)] for name, array in state.items() if not array.size}
        items = ocp.args.Composite(
            state=ocp.args.PyTreeSave({name: array for name, array in state.items() if array.size}),
            empty=ocp.args.JsonSave(empty),
            manifest=ocp.args.JsonSave(to_json(manifest)),
        )
        self._manager.save(number, args=items)
        self._manager.wait_until_finished()
        return number

    def latest(self) -> int | None:
        """The number of the newest complete checkpoint."""
        return self._manager.latest_step()

    def manifest(self, number: int) -> Manifest:
        """The small part of a checkpoint."""
        restored = self._manager.restore(number, args=ocp.args.Composite(manifest=ocp.args.JsonRestore()))
        return from_json(restored["manifest"])

    def state(self, number: int) -> dict[str, Array]:
        """The arrays of a checkpoint, by name."""
        saved = self._manager.item_metadata(number)["state"]
        as_numpy = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in saved}
        items = ocp.args.Composite(state=ocp.args.PyTreeRestore(restore_args=as_numpy), empty=ocp.args.JsonRestore())
        restored = self._manager.restore(number, args=items)
        empty = {name: np.zeros(shape, dtype) for name, (dtype, shape) in restored["empty"].items()}
        return {**restored["state"], **empty}

    def close(self) -> None:
        """Release threads and files."""
        self._manager.close()
