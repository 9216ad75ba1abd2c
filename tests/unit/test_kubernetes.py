"""The manifest against the API's own schemas, and its settings against ours."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_validate.utils import ValidationError, validate

from stream.settings import ENV_PREFIX, Settings

MANIFEST = Path(__file__).parents[2] / "compose" / "kubernetes.yaml"
KUBERNETES = "1.34"
RESOURCES: list[dict[str, Any]] = list(yaml.safe_load_all(MANIFEST.read_text()))


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource["kind"])
def test_a_resource_is_as_the_api_wants_it(resource):
    validate(resource, KUBERNETES, strict=True)


def test_the_schemas_refuse_a_field_that_is_not_there():
    (service,) = (resource for resource in RESOURCES if resource["kind"] == "Service")

    with pytest.raises(ValidationError):
        validate(service | {"spec": {"port": 1}}, KUBERNETES, strict=True)


@pytest.mark.parametrize("manifest", [MANIFEST.read_text(), MANIFEST.read_text().replace("# INTEREST_", "INTEREST_")])
def test_every_variable_is_a_setting_and_its_value_is_taken(manifest):
    (config,) = (resource for resource in yaml.safe_load_all(manifest) if resource["kind"] == "ConfigMap")

    values = {name.removeprefix(ENV_PREFIX).lower(): value for name, value in config["data"].items()}

    assert Settings.load(**values).web_host == "0.0.0.0"


def test_the_probes_ask_for_what_the_server_answers_without_a_token():
    (worker,) = (resource for resource in RESOURCES if resource["kind"] == "StatefulSet")
    (container,) = worker["spec"]["template"]["spec"]["containers"]

    paths = {container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}

    assert paths == {"/livez", "/readyz"}
    assert container["ports"] == [{"name": "http", "containerPort": Settings.load().web_port}]
