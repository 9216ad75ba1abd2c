"""A demo whose live page is open, and Debian's Chromium."""

import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.java_kafka import free_ports
from tests.support.waiting import wait_until
from tests.support.worker import SMALL

STARTS_WITHIN_S = 120


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
