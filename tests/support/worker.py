"""A worker as users start it: a process of its own, whose status lines are read as they come."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

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


class WorkerProcess:
    """`interest-stream worker --json` with small sizes. A context manager that ends it, whatever happened.

    Args:
        broker: bootstrap address.
        topic_prefix: of its topics, its consumer group too.
        checkpoint_dir: where it keeps its state.
        settings: more settings, by environment variable.
        command: the command line, if another way of starting a worker is to be tried.
    """

    def __init__(
        self,
        broker: str,
        topic_prefix: str,
        checkpoint_dir: Path,
        settings: dict[str, str] | None = None,
        command: list[str] | None = None,
    ) -> None:
        own = {
            "INTEREST_BROKER": broker,
            "INTEREST_TOPIC_PREFIX": topic_prefix,
            "INTEREST_APP_ID": f"{topic_prefix}worker",
            "INTEREST_CHECKPOINT_DIR": str(checkpoint_dir),
        }
        self._stderr = tempfile.NamedTemporaryFile("w+", suffix=".log")  # noqa: SIM115  (closed with the process)
        politely = ["nice", "-n", os.environ.get(NICENESS_VARIABLE, "0")]
        self.process = subprocess.Popen(
            [*politely, *(command or [sys.executable, "-m", "stream.cli", "worker", "--json"])],
            env=os.environ | SMALL | own | (settings or {}),
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )
        self.status = WorkerStatus("compiling")
        assert self.process.stdout is not None
        self._stdout = self.process.stdout
        self._reader = threading.Thread(target=self._read, args=(self._stdout,), daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.kill()
        self._reader.join()
        self._stdout.close()
        if error is not None:
            error.add_note(f"worker's log:\n{self.log()[-5_000:]}")
        self._stderr.close()

    def wait_for(
        self, predicate: Callable[[WorkerStatus], object], what: str, timeout_s: float = READY_WITHIN_S
    ) -> None:
        """Return when a status line satisfies `predicate`; fail at once if the worker has ended."""
        wait_until(lambda: predicate(self.status) or self.process.poll() is not None, timeout_s, what)
        assert predicate(self.status), f"the worker ended with {self.process.poll()} before {what}"

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOPS_WITHIN_S)
        self._reader.join(STOPS_WITHIN_S)
        return code

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def log(self) -> str:
        """What it has said on stderr."""
        return Path(self._stderr.name).read_text()

    def _read(self, lines: IO[str]) -> None:
        """Follow the status lines; other ways of starting a worker may print other lines."""
        for line in lines:
            with contextlib.suppress(msgspec.MsgspecError):
                self.status = msgspec.json.decode(line, type=WorkerStatus)
