"""The README's Python example, run as it stands against a real Kafka and a worker."""

import re
from pathlib import Path
from typing import Any

import pytest

from stream.broker.topics import create_topics
from stream.settings import Settings
from tests.support.kafka import Kafka
from tests.support.worker import WorkerProcess

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_python_example_prints_anns_interest(kafka: Kafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    create_topics(Settings.load(broker=kafka.bootstrap))
    with WorkerProcess(kafka.bootstrap, "", tmp_path) as worker:
        worker.wait_for(lambda s: s.state == "running", "it runs")

        names: dict[str, Any] = {}
        exec(example.replace("localhost:9092", kafka.bootstrap), names)
        names["items"].close()

    assert "ann" in capsys.readouterr().out
