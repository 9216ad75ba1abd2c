"""A worker's settings for chaos tests: small sizes, frequent checkpoints, topics that exist."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stream.broker.topics import create_topics
from stream.settings import ENV_PREFIX, Settings
from tests.support.kafka import Kafka
from tests.support.mixed_log import ALLOWED_LATENESS_MS
from tests.support.worker import SMALL, WorkerProcess

OFTEN = {
    "INTEREST_CHECKPOINT_INTERVAL_S": "0.3",
    "INTEREST_ALLOWED_LATENESS_MS": str(ALLOWED_LATENESS_MS),
    "INTEREST_WINDOW_SIZE": "10",
    "INTEREST_ENCODER_WINDOW": "10",
}

MakeSettings = Callable[[Kafka, Path], Settings]


@pytest.fixture
def settings_on(topic_prefix: str) -> MakeSettings:
    """Makes the settings of a worker whose topics exist on a broker."""

    def make(kafka: Kafka, checkpoint_dir: Path) -> Settings:
        flags = {name.removeprefix(ENV_PREFIX).lower(): value for name, value in (SMALL | OFTEN).items()}
        settings = Settings.load(
            broker=kafka.bootstrap,
            topic_prefix=topic_prefix,
            app_id=f"{topic_prefix}worker",
            checkpoint_dir=checkpoint_dir,
            **flags,
        )
        create_topics(settings)
        return settings

    return make


def a_worker(of: Settings, **more: str) -> WorkerProcess:
    """A worker with these settings, and `more` of them by environment variable."""
    return WorkerProcess(of.broker, of.topic_prefix, of.checkpoint_dir, OFTEN | more)
