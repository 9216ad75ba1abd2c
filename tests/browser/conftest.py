"""A demo whose live page is open, a worker that is behind, and Debian's Chromium."""

import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from stream.broker.topics import TopicNames, create_topics
from stream.client import EventProducer
from stream.settings import Settings
from tests.support.java_kafka import free_ports
from tests.support.kafka import Kafka
from tests.support.waiting import wait_until
from tests.support.worker import SMALL, WorkerProcess

STARTS_WITHIN_S = 120
BACKLOG = 30_000  # records: ten seconds and more, one at a time


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where a worker of small sizes serves its page while a shop sends events."""
    (port,) = free_ports(1)
    demo = subprocess.Popen(
        [sys.executable, "-m", "stream.cli", "demo", "--events", "1000000", "--rate", "400"],
        env=os.environ | SMALL | {"INTEREST_WEB_PORT": str(port)},
        stdout=subprocess.DEVNULL,
    )
    page = f"http://127.0.0.1:{port}/"
    try:
        wait_until(lambda: demo.poll() is not None or answers(page), STARTS_WITHIN_S, "the page")
        yield page
    finally:
        demo.terminate()
        demo.wait(30)


@pytest.fixture
def address_of_one_behind(kafka: Kafka, topic_prefix: str, tmp_path: Path) -> Iterator[str]:
    """Where a worker serves its page that takes a record at a time, thousands of which wait."""
    settings = Settings.load(broker=kafka.bootstrap, topic_prefix=topic_prefix)
    create_topics(settings)
    with EventProducer(kafka.bootstrap, topics=TopicNames.of(settings)) as producer:
        for n in range(BACKLOG):
            producer.click(f"u{n % 100}", f"i{n % 30}")
    (port,) = free_ports(1)
    slow = {"INTEREST_WEB_PORT": str(port), "INTEREST_FETCH_MAX_RECORDS": "1"}
    page = f"http://127.0.0.1:{port}/"
    with WorkerProcess(kafka.bootstrap, topic_prefix, tmp_path, slow):
        wait_until(lambda: answers(page), STARTS_WITHIN_S, "the page")
        yield page


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address) as response:
            return response.status == 200
    except urllib.error.URLError:
        return False


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.fail("no Chromium found: apt-get install chromium", pytrace=False)
    expect.set_options(timeout=1_000 * STARTS_WITHIN_S)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page, opened; a word in its console fails the test."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(1_000 * STARTS_WITHIN_S)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address)
    yield page
    page.close()
    assert said == []
