"""Who owns the checkpoints directory: takes it when nobody has it, and waits for it. Knows nothing of what is in it."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from checkpoints.lease import DirectoryInUseError, DirectoryLease, OwnerWatch, clock_s
from checkpoints.store import CheckpointStore
from stream.errors import ConfigError

LOOKS_EVERY_S = 0.2  # added to a take-over; a look is a few system calls

logger = logging.getLogger(__name__)


class Ownership:
    """One process's way to the lease of a directory.

    Args:
        directory: of the checkpoints.
        lease_s: how long the owner's heartbeat may stand still.
        kept: checkpoints kept there.
        on_lost: is told why where another process has taken the lease over.
    """

    def __init__(self, directory: Path, lease_s: float, kept: int, on_lost: Callable[[str], None]) -> None:
        self._directory, self._lease_s, self._kept, self._on_lost = directory, lease_s, kept, on_lost
        self._watch = OwnerWatch(directory, lease_s)

    def take(self) -> DirectoryLease | None:
        """The lease; `None` while another process has it.

        Raises:
            ConfigError: the directory cannot be used.
        """
        try:
            after = self._watch.vacant_after(clock_s())
            if after is None:
                return None
            known = CheckpointStore(self._directory, self._kept).newest_incarnation()
            return DirectoryLease(self._directory, max(after, known), self._lease_s, on_lost=self._on_lost)
        except DirectoryInUseError:
            return None
        except OSError as error:
            raise ConfigError(f"checkpoint_dir={self._directory} cannot be used: {error}") from None

    async def wait(self, must_stop: Callable[[], bool]) -> DirectoryLease | None:
        """Wait until the owner is gone; `None` when told to stop before."""
        logger.info("another worker owns %s: standing by, ready to take over", self._directory)
        while not must_stop():
            if lease := self.take():
                logger.info("took over %s as worker %d", self._directory, lease.incarnation)
                return lease
            await asyncio.sleep(LOOKS_EVERY_S)
        return None
