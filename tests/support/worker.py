"""A worker as users start it, with small sizes: a process of its own, whose status lines are read as they come."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from stream.demo import worker_process
from stream.status import WorkerStatus
from tests.support.waiting import wait_until

SMALL = {
    "INTEREST_DIM": "16",
    "INTEREST_MAX_ITEMS": "2000",
    "INTEREST_MAX_QUERIES": "500",
    "INTEREST_LEARN_BATCH_SIZE": "64",
    "INTEREST_REPLAY_CAPACITY": "2000",
    "INTEREST_REPLAY_RATIO": "1",
    "INTEREST_MICRO_BATCH_SIZE": "256",
    "INTEREST_SESSION_TIMEOUT_S": "6",
    "INTEREST_WEB_PORT": "0",
}
NICENESS_VARIABLE = "WORKER_NICENESS"  # tests that run at once make way for those that measure time
READY_WITHIN_S = 120  # cold compilation on a busy machine; a warm one takes seconds
STOPS_WITHIN_S = 10  # guaranteed


class WorkerProcess(worker_process.WorkerProcess):
    """`interest-stream worker --json` with small sizes. A context manager that kills it, whatever happened.

    Args:
        broker: bootstrap address.
        topic_prefix: of its topics, its consumer group too.
        checkpoint_dir: where it keeps its state.
        settings: more settings, by environment variable.
        command: the command line; there is another way of starting a worker.
    """

    def __init__(
        self,
        broker: str,
        topic_prefix: str,
        checkpoint_dir: Path,
        settings: dict[str, str] | None = None,
        command: Sequence[str] = worker_process.COMMAND,
    ) -> None:
        own = {
            "INTEREST_BROKER": broker,
            "INTEREST_TOPIC_PREFIX": topic_prefix,
            "INTEREST_APP_ID": f"{topic_prefix}worker",
            "INTEREST_CHECKPOINT_DIR": str(checkpoint_dir),
        }
        politely = ["nice", "-n", os.environ.get(NICENESS_VARIABLE, "0")]
        super().__init__(SMALL | own | (settings or {}), [*politely, *command])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.kill()
        super().__exit__(kind, error, trace)
        if error is not None:
            error.add_note(f"worker's log:\n{self.log()[-5_000:]}")

    def wait_for(
        self, predicate: Callable[[WorkerStatus], object], what: str, timeout_s: float = READY_WITHIN_S
    ) -> None:
        """Return when a status line satisfies `predicate`; fail at once if the worker has ended."""
        wait_until(lambda: predicate(self.status) or self.process.poll() is not None, timeout_s, what)
        assert predicate(self.status), f"the worker ended with {self.process.poll()} before {what}"

    def stop(self, timeout_s: float = STOPS_WITHIN_S) -> int:
        """SIGTERM; returns the exit code, which is SIGKILL's if it does not end in the guaranteed time."""
        return super().stop(timeout_s)
