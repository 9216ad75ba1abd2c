"""A worker as a child process: started with settings, heard through its status lines, stopped by SIGTERM."""

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Self

import msgspec

from stream.errors import StateError
from stream.settings import ENV_PREFIX, Settings, plain
from stream.status import WorkerStatus

KEPT_LOG_LINES = 20
STOP_TIMEOUT_S = 30.0  # a last checkpoint takes a second or two


class WorkerProcess:
    """A context manager; leaving it ends the worker.

    Attributes:
        status: what the worker said last.
    """

    def __init__(self, settings: Settings) -> None:
        self.status = WorkerStatus("compiling")
        self._log: deque[str] = deque(maxlen=KEPT_LOG_LINES)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "stream.cli", "worker", "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, **as_environment(settings)},
            start_new_session=True,  # Ctrl-C is ours; the worker is told by SIGTERM
        )
        pipes = ((self._process.stdout, self._read_status), (self._process.stderr, self._read_log))
        self._readers = [threading.Thread(target=read, args=(pipe,), daemon=True) for pipe, read in pipes]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._end()

    def check(self) -> None:
        """Raise when the worker is gone.

        Raises:
            StateError: it is, with its last log lines.
        """
        if self._process.poll() is not None:
            self._join()
            raise StateError(self._story(f"the worker ended by itself with exit code {self._process.returncode}"))

    def stop(self) -> WorkerStatus:
        """Ask the worker to finish and wait for it; its last status.

        Raises:
            StateError: it did not end well.
        """
        self.check()
        self._end()
        if self._process.returncode not in (0, -signal.SIGTERM):  # the latter before it is ready: nothing to save yet
            raise StateError(self._story(f"the worker stopped with exit code {self._process.returncode}"))
        return self.status

    def _end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._join()

    def _join(self) -> None:
        for reader in self._readers:
            reader.join(1.0)

    def _story(self, sentence: str) -> str:
        return "\n  ".join([f"{sentence}; its last lines:", *self._log])

    def _read_status(self, pipe: IO[str]) -> None:
        with pipe:
            for line in pipe:
                try:
                    self.status = msgspec.json.decode(line, type=WorkerStatus)
                except msgspec.MsgspecError:
                    self._log.append(line.rstrip())

    def _read_log(self, pipe: IO[str]) -> None:
        with pipe:
            self._log.extend(line.rstrip() for line in pipe)


def as_environment(settings: Settings) -> Mapping[str, str]:
    """The variables that give another process these settings, as far as they are not defaults."""
    return {ENV_PREFIX + name.upper(): plain(getattr(settings, name)) for name in settings.model_fields_set}
