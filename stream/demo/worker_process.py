"""A worker as a child process: started with settings, heard through its status lines, stopped by SIGTERM."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO, Self

import msgspec

from stream.errors import StateError
from stream.settings import ENV_PREFIX, Settings, plain
from stream.status import WorkerStatus

COMMAND = (sys.executable, "-m", "stream.cli", "worker", "--json")
KEPT_LOG_LINES = 100_000
TOLD_LOG_LINES = 20
STOP_TIMEOUT_S = 30.0  # a last checkpoint takes a second or two
READERS_TIMEOUT_S = 5.0  # after its end: what is left in the pipes


class WorkerProcess:
    """A context manager; leaving it ends the worker.

    Args:
        environment: variables beside those of this process.
        command: the command line.

    Attributes:
        process: the child.
        status: what it said last.
    """

    def __init__(self, environment: Mapping[str, str], command: Sequence[str] = COMMAND) -> None:
        self.status = WorkerStatus("compiling")
        self._log: deque[str] = deque(maxlen=KEPT_LOG_LINES)
        self.process = subprocess.Popen(  # noqa: S603 - our own command line
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, **environment},
            start_new_session=True,  # Ctrl-C is ours; the worker is told by SIGTERM
        )
        pipes = ((self.process.stdout, self._read_status), (self.process.stderr, self._read_log))
        self._readers = [threading.Thread(target=read, args=(pipe,), daemon=True) for pipe, read in pipes]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.stop()
        self._join()

    def check(self) -> None:
        """Raise when the worker is gone.

        Raises:
            StateError: it is, with its last log lines.
        """
        if self.process.poll() is not None:
            raise StateError(self._story(f"the worker ended by itself with exit code {self.process.returncode}"))

    def finish(self) -> WorkerStatus:
        """Ask the worker to finish and wait for it; its last status.

        Raises:
            StateError: it did not end well.
        """
        self.check()
        code = self.stop()
        if code not in (0, -signal.SIGTERM):  # the latter before it is ready: nothing to save yet
            raise StateError(self._story(f"the worker stopped with exit code {code}"))
        return self.status

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """SIGTERM, and SIGKILL if it does not end in time; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
        self._join()
        return self.process.returncode

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def log(self) -> str:
        """What it has said on stderr."""
        if self.process.poll() is not None:
            self._join()
        return "".join(list(self._log))

    def _join(self) -> None:
        for reader in self._readers:
            reader.join(READERS_TIMEOUT_S)

    def _story(self, sentence: str) -> str:
        return "\n  ".join([f"{sentence}; its last lines:", *self.log().splitlines()[-TOLD_LOG_LINES:]])

    def _read_status(self, pipe: IO[str]) -> None:
        """Follow the status lines; other ways of starting a worker may print other lines."""
        with pipe:
            for line in pipe:
                with contextlib.suppress(msgspec.MsgspecError):
                    self.status = msgspec.json.decode(line, type=WorkerStatus)

    def _read_log(self, pipe: IO[str]) -> None:
        with pipe:
            self._log.extend(pipe)


def as_environment(settings: Settings) -> Mapping[str, str]:
    """The variables that give another process these settings, as far as they are not defaults."""
    return {ENV_PREFIX + name.upper(): plain(getattr(settings, name)) for name in settings.model_fields_set}
