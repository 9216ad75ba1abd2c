"""A real schema registry: Apicurio from Maven Central, in a Java process that keeps its schemas in memory."""

import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from tests.support.java_kafka import free_ports
from tests.support.kafka import ROOT
from tests.support.stores import ending_with_us
from tests.support.waiting import wait_until

VERSION = "2.6.13.Final"  # the newest that Java 17 runs
READY_WITHIN_S = 90  # it takes 3 s, on busy cores more


class NoRegistryError(Exception):
    """None can be had here; the text says what to install."""


class Registry:
    """Attributes:
    url: of the part that speaks as Confluent's registry does.
    pid: of its process.
    """

    def __init__(self) -> None:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        options = ["-Xmx192m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        properties = ["-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={port}"]
        jar = fetch_registry() / f"apicurio-registry-app-{VERSION}-runner.jar"
        self._process = subprocess.Popen(
            ending_with_us(["java", *options, *properties, "-jar", str(jar)]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=tempfile.gettempdir(),
        )
        self.pid = self._process.pid
        wait_until(self._answers, READY_WITHIN_S, "the registry")

    def close(self) -> None:
        self._process.kill()
        self._process.wait(READY_WITHIN_S)

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise NoRegistryError("Apicurio ended before it answered; it needs Java 17")
        try:
            with urllib.request.urlopen(f"{self.url}/subjects") as response:
                return response.status == 200
        except urllib.error.URLError:
            return False


def fetch_registry() -> Path:
    """The folder with Apicurio; Maven fetches it (142 MB) where it is not there yet."""
    folder = ROOT / ".cache" / f"apicurio-{VERSION}"
    if folder.exists():
        return folder
    if shutil.which("mvn") is None or shutil.which("java") is None:
        raise NoRegistryError("the tests need a schema registry: apt-get install openjdk-17-jre-headless maven")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as half_done:
        artifact = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
        goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
        command = ["mvn", "-q", "-B", goal, f"-Dartifact={artifact}", f"-DoutputDirectory={half_done}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=half_done)
        if done.returncode != 0:
            raise NoRegistryError(f"Maven cannot fetch {artifact}: {done.stdout[-2_000:]}")
        with tarfile.open(next(Path(half_done).glob("*.tar.gz"))) as archive:
            archive.extractall(Path(half_done) / "all", filter="data")
        try:
            (Path(half_done) / "all").rename(folder)  # two test runs may fetch at once: the first one's stays
        except OSError:
            if not folder.exists():
                raise
    return folder
