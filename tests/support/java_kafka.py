"""Kafka as a child process: jars from Maven, one KRaft node on free ports of 127.0.0.1, data in a temporary folder."""

import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.kafka import ROOT, NoKafkaError, kafka_version, wait_until_ready

CLUSTER_ID = "aW50ZXJlc3Qtc3RyZWFtMA"  # any 16 bytes in base64 without padding: "interest-stream0"
OLDEST_JAVA = 17  # Kafka 4's brokers need it
STOPS_WITHIN_S = 30

# Beside addresses and folders. Each line differs from a default that is meant for a cluster of several machines.
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
auto.create.topics.enable=false
# no wait for further members: the first join of a test's group takes 0 s instead of 3
group.initial.rebalance.delay.ms=0
# a restart after kill -9 takes 5 s instead of 13: the old session must lapse first
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=400
# the default of 128 MiB is on the heap
log.cleaner.dedupe.buffer.size=8388608
"""


def why_not_java() -> str:
    """Empty where this way is open."""
    java = shutil.which("java")
    if java is None:
        return "no java on the path"
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < OLDEST_JAVA:
        return f"java is {version[1] if version else 'of unknown version'}, needs {OLDEST_JAVA} or newer"
    if not _jars().exists() and shutil.which("mvn") is None:
        return "no mvn on the path"
    return ""


class JavaKafka:
    """A broker in a Java process of our own.

    Args:
        listeners: more of them, as `SASL_SSL://127.0.0.1:1234`.
        properties: what they need.
        java_options: what Java must be told for that.
    """

    is_ours = True

    def __init__(self, listeners: Sequence[str] = (), properties: str = "", java_options: Sequence[str] = ()) -> None:
        self._java_options = java_options
        self._jars = fetch_jars()
        self._folder = Path(tempfile.mkdtemp(prefix="interest-stream-kafka-"))
        port, controller_port = free_ports(2)
        self.bootstrap = f"127.0.0.1:{port}"
        own = f"PLAINTEXT://{self.bootstrap}", f"CONTROLLER://127.0.0.1:{controller_port}"
        self._properties = self._folder / "server.properties"
        self._properties.write_text(
            f"{PROPERTIES}"
            f"listeners={','.join((*own, *listeners))}\n"
            f"controller.quorum.voters=1@127.0.0.1:{controller_port}\n"
            f"log.dirs={self._folder / 'data'}\n"
            f"{properties}"
        )
        self._log = self._folder / "kafka.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._format()
        self._start()

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOPS_WITHIN_S)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOPS_WITHIN_S)

    def restart(self) -> None:
        self.stop()
        self._start()

    def close(self) -> None:
        self.kill()  # its data goes with it: nothing to write out
        shutil.rmtree(self._folder)

    def _format(self) -> None:
        options = ["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        arguments = ["format", "-t", CLUSTER_ID, "-c", str(self._properties)]
        done = self._java(options, "kafka.tools.StorageTool", arguments)
        if done.wait() != 0:
            raise NoKafkaError(f"kafka's format failed: {self._log_tail()}")

    def _start(self) -> None:
        options = ["-Xmx512m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        options += self._java_options
        self._process = self._java(options, "kafka.Kafka", [str(self._properties)])
        try:
            wait_until_ready(self.bootstrap, self.is_running)
        except NoKafkaError as error:
            raise NoKafkaError(f"{error}; its log ends with: {self._log_tail()}") from None

    def _java(self, options: list[str], main_class: str, arguments: list[str]) -> subprocess.Popen[bytes]:
        command = ["java", *options, "-cp", f"{self._jars}/*", main_class, *arguments]
        if shutil.which("setpriv"):  # where pytest itself is killed, its broker must not outlive it
            command = ["setpriv", "--pdeathsig", "KILL", *command]
        with self._log.open(
            "ab"
        ) as log:  # a session of its own: Ctrl-C is pytest's, whose teardown still needs the broker
            return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)

    def _log_tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])


def fetch_jars() -> Path:
    """The folder with the broker's jars; Maven fetches them (43 MB) where it is not there yet."""
    jars = _jars()
    if not jars.exists():
        jars.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=jars.parent) as half_done:
            _maven(Path(half_done) / "jars")
            _move_unless_there(Path(half_done) / "jars", jars)
    return jars


def _jars() -> Path:
    return ROOT / ".cache" / f"kafka-{kafka_version()}"


def _maven(into: Path) -> None:
    command = ["mvn", "--quiet", "--batch-mode", "--file", str(Path(__file__).with_name("pom.xml"))]
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={into}"]
    done = subprocess.run(
        [*command, *goal, f"-Dkafka.version={kafka_version()}"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise NoKafkaError(f"Maven cannot fetch Kafka {kafka_version()}: {done.stdout[-2_000:]}")


def _move_unless_there(half_done: Path, jars: Path) -> None:
    """Two test runs may fetch at once: the first one's folder stays."""
    try:
        half_done.rename(jars)
    except OSError:
        if not jars.exists():
            raise


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports
