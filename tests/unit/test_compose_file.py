"""What the compose file says, as far as it can be judged without an engine."""

from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from stream.cli import commands
from tests.support.kafka import COMPOSE_FILE

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE_FILE.read_text())["services"]
OURS = {name: service["command"] for name, service in SERVICES.items() if service["image"] == "interest-stream"}


@pytest.mark.parametrize("command", OURS.values(), ids=OURS)
def test_a_service_of_ours_runs_a_command_that_is_there(command: list[str]):
    said = CliRunner().invoke(
        commands, [*command[1:], "--help"]
    )  # what is no option or argument is refused before that
    assert (command[0], said.exit_code) == ("interest-stream", 0), said.output


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_others_of_its_profile_and_is_open_to_this_machine_only(name: str):
    service = SERVICES[name]
    for needed in service.get("depends_on", []):
        assert set(SERVICES[needed].get("profiles", service.get("profiles", []))) >= set(service.get("profiles", []))
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_of_others_has_a_version(name: str):
    image = SERVICES[name]["image"]
    assert image == "interest-stream" or ":" in image
