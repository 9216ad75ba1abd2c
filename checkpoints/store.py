"""Checkpoints: each a segment that says what changed since the one before, back to one that holds everything.

What a checkpoint costs grows with what changed. A chain of segments that has grown long is merged, from disk and
beside the live state, into one segment that holds everything; every checkpoint kept can be restored by itself.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from checkpoints.changes import Changes, State, flattened
from checkpoints.lease import LeaseLostError
from checkpoints.manifest import Manifest, from_json, to_json
from checkpoints.merging import merge_apart, merge_here, state_of
from checkpoints.segments import CorruptSegmentError, Segments

LONGEST_CHAIN = 32  # segments: opening one costs about 20 ms at a restore
FEW_BYTES = 512 * 2**20  # of changes, which a restore reads in half a second; merging them has no hurry

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Restored:
    """A checkpoint read back.

    Attributes:
        number: of the checkpoint.
        state: everything, by name.
        manifest: what it says about itself.
    """

    number: int
    state: State
    manifest: Manifest


class CheckpointStore:
    """The checkpoints in one directory, numbered upwards. `save` and `merge` may run in two threads.

    Args:
        directory: made where it is missing.
        kept: checkpoints kept; older ones are deleted, but for segments that a kept one needs, and those of before an
            erasure as soon as a newer one holds nothing of it.
        confirm_ownership: raises where another process has taken over; asked right before anything appears or goes.
        merges_apart: in another process, which takes longer and is not noticed.
    """

    def __init__(
        self,
        directory: Path,
        kept: int,
        confirm_ownership: Callable[[], None] = lambda: None,
        *,
        merges_apart: bool = False,
    ) -> None:
        self._segments = Segments(directory)
        self._kept = kept
        self._confirm_ownership = confirm_ownership
        self._merge_into = merge_apart if merges_apart else merge_here
        self._next_number = max(self._segments.numbers(), default=0) + 1
        self._chain: list[int] = []
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        self._merging: threading.Thread | None = None

    def numbers(self) -> list[int]:
        """The complete checkpoints, ascending."""
        return self._segments.numbers()

    def latest(self) -> int | None:
        """The number of the newest complete checkpoint."""
        return max(self.numbers(), default=None)

    def save(self, parts: Sequence[Changes], manifest: Manifest) -> int:
        """Write one more checkpoint and return its number. Blocks; a crash in the middle leaves the older ones alone.

        Args:
            parts: what changed since the last checkpoint that was saved or restored here, in order.
            manifest: what the state is now.

        Raises:
            OSError: the disk refuses; the changes are not in any checkpoint, so the next `save` must bring them again.
            LeaseLostError: another process has taken over; there is no checkpoint.
        """
        with self._saving:
            number, chain = self._take_number()
            about = {"chain": [*chain, number], "manifest": to_json(manifest)}
            self._segments.write(number, flattened(parts), about, self._confirm_ownership)
            with self._lock:
                self._chain = [*self._chain, number]
        self._confirm_ownership()
        self._delete_old()
        return number

    def restore(self, number: int | None = None) -> Restored | None:
        """Read a checkpoint back, the newest intact one unless a number is given; `save` goes on from it.

        Raises:
            CorruptSegmentError: the checkpoint asked for, or every one there is, is damaged.
        """
        numbers = self.numbers()
        wanted = [number] if number is not None else numbers[::-1]
        for candidate in wanted:
            try:
                restored = self._read(candidate)
            except CorruptSegmentError as error:
                logger.warning("checkpoint %d is damaged and left out: %s", candidate, error)
                continue
            self._chain = self._chain_of(candidate)
            return restored
        if wanted:
            raise CorruptSegmentError(f"none of the checkpoints {wanted} is intact")
        return None

    def manifest(self, number: int) -> Manifest:
        """The small part of a checkpoint.

        Raises:
            CorruptSegmentError: it cannot be read.
        """
        return from_json(self._segments.about(number)["manifest"])

    def newest_incarnation(self) -> int:
        """How many processes have owned this state, as far as its checkpoints know."""
        incarnations = [0]
        for number in self.numbers()[-self._kept :]:
            with contextlib.suppress(CorruptSegmentError):
                incarnations.append(self.manifest(number).incarnation)
        return max(incarnations)

    def verify(self, numbers: Sequence[int]) -> dict[int, str]:
        """What is wrong with each of these checkpoints, every segment of their chains being read; empty if nothing."""
        segments = {segment for number in numbers for segment in self._chain_if_readable(number)}
        broken: dict[int, str] = {}
        for segment in sorted(segments):
            try:
                self._segments.arrays(segment)
            except CorruptSegmentError as error:
                broken[segment] = str(error)
        return {
            number: "; ".join(broken[part] for part in self._chain_if_readable(number) if part in broken)
            for number in numbers
        }

    def only_parts(self) -> set[int]:
        """Segments that were checkpoints once, and are now only parts of newer ones: a merge took their place."""
        numbers = self.numbers()
        chains = {number: self._chain_if_readable(number) for number in numbers}
        return {
            n for n in numbers if not set(chains[n]) <= set(numbers) and any(n in chains[m] for m in numbers if m > n)
        }

    def num_bytes(self, number: int) -> int:
        """Bytes that this checkpoint's own segment added."""
        return self._segments.num_bytes(number)

    def is_at_rest(self) -> bool:
        """Whether one more checkpoint of the same state would be of no use to anybody.

        It would be while a merge is due or under way, or while a checkpoint is left that holds what an erasure took.
        """
        numbers = self.numbers()
        is_to_merge = self._is_merging or self._needs_merge()
        return bool(numbers) and not is_to_merge and self._without_erased(numbers) == numbers

    def merge_when_due(self) -> None:
        """Start merging in a thread of its own if the chain is long; the end of the process ends it."""
        if self._needs_merge() and not self._is_merging:
            self._merging = threading.Thread(target=self._try_merge, name="merge checkpoints", daemon=True)
            self._merging.start()

    def wait_for_merge(self) -> None:
        """Return when a merge that is under way has ended."""
        if self._merging is not None:
            self._merging.join()

    @property
    def _is_merging(self) -> bool:
        return self._merging is not None and self._merging.is_alive()

    def _try_merge(self) -> None:
        try:
            self.merge()
        except LeaseLostError as error:
            logger.info("checkpoints not merged: %s", error)
        except (OSError, CorruptSegmentError) as error:
            logger.warning("checkpoints not merged, trying again after the next one: %s", error)

    def _needs_merge(self) -> bool:
        """Whether the chain has grown long, or much larger than what it starts from, or starts before an erasure."""
        with self._lock:
            chain = list(self._chain)
        if not chain or self._num_erasures(chain[0]) < self._num_erasures(chain[-1]):
            return bool(chain)
        if len(chain) < 3:
            return False
        first, *rest = (self._segments.num_bytes(number) for number in chain)
        return len(chain) > LONGEST_CHAIN or sum(rest) > max(first, FEW_BYTES)

    def merge(self) -> None:
        """Make one segment of the chain as it is now; what is saved meanwhile comes after it. Blocks for seconds.

        Raises:
            OSError: the disk refuses; the chain stays as it was.
        """
        with self._saving:  # so that what this number holds is newer than all lower and older than all higher numbers
            number, chain = self._take_number()
        with self._segments.draft(number, self._confirm_ownership) as draft:
            self._merge_into(self._segments, chain, number, draft)
        with self._lock:
            self._chain = [number, *self._chain[len(chain) :]]

    def clear_unfinished(self) -> None:
        """Remove what a process that died has left; only for the owner of the directory."""
        self._segments.clear_unfinished()

    def rollback(self, number: int) -> list[int]:
        """Delete all checkpoints after `number`, so that it is the newest; returns those deleted.

        Raises:
            KeyError: there is no such checkpoint.
        """
        if number not in self.numbers():
            raise KeyError(number)
        later = [n for n in self.numbers() if n > number]
        for n in later:
            self._segments.delete(n)
        return later

    def _take_number(self) -> tuple[int, list[int]]:
        with self._lock:
            number, self._next_number = self._next_number, self._next_number + 1
            return number, list(self._chain)

    def _chain_of(self, number: int) -> list[int]:
        return [int(n) for n in self._segments.about(number)["chain"]]

    def _chain_if_readable(self, number: int) -> list[int]:
        """Its own number alone where its chain cannot be read, so that reading it says why."""
        try:
            return self._chain_of(number)
        except CorruptSegmentError:
            return [number]

    def _read(self, number: int) -> Restored:
        return Restored(number, state_of(self._segments, self._chain_of(number)), self.manifest(number))

    def _delete_old(self) -> None:
        numbers = self.numbers()
        needed = set(self._chain)
        for number in self._without_erased(numbers)[-self._kept :]:
            with contextlib.suppress(CorruptSegmentError):
                needed.update(self._chain_of(number))
            needed.add(number)
        for number in numbers:
            if number not in needed:
                self._segments.delete(number)

    def _without_erased(self, numbers: list[int]) -> list[int]:
        """Those that hold nothing of users erased up to the newest one, and those newer than all of these."""
        num_erasures = self._num_erasures(numbers[-1])
        clean = [number for number in numbers if self._num_erasures_of_oldest_part(number) >= num_erasures]
        return [number for number in numbers if number in clean or number > max(clean, default=0)]

    def _num_erasures_of_oldest_part(self, number: int) -> int:
        try:
            return min(map(self._num_erasures, self._chain_of(number)))
        except CorruptSegmentError:
            return -1

    def _num_erasures(self, number: int) -> int:
        return self.manifest(number).num_erasures
