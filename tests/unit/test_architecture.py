"""The direction of imports: two leaves and one composer, and layers within the composer."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("models", "checkpoints", "stream")

MAY_IMPORT = {  # a package may import itself, and these
    "models.config": set(),
    "models.compiled": set(),
    "models.saving": set(),
    "models.reports": set(),
    "models.items": {"models.config", "models.compiled", "models.saving"},
    "models.counting": {"models.config", "models.compiled", "models.saving"},
    "models.inputs": {"models.config", "models.compiled", "models.saving", "models.counting"},
    "models.quality": {"models.config", "models.saving"},
    "models.network": {"models.config", "models.inputs"},
    "models.mixture": {"models.counting", "models.inputs", "models.network"},
    "models.device": {"models.config", "models.saving"}
    | {"models.counting", "models.inputs", "models.network", "models.mixture"},
    "models.serving": {"models.config", "models.reports", "models.items", "models.counting", "models.inputs"}
    | {"models.mixture", "models.device", "models.quality"},
    "models.scoring": {"models.config", "models.items", "models.inputs", "models.device", "models.serving"}
    | {"models.quality"},
    "models": {"models"},  # what is in none of these rooms joins them
    "checkpoints": set(),
    "stream.errors": set(),
    "stream.status": set(),
    "stream.endings": set(),
    "stream.memory": set(),
    "stream.outage": {"stream.errors"},
    "stream.metrics": set(),
    "stream.settings": {"models", "stream.errors"},
    "stream.logs": {"stream.settings"},
    "stream.records": {"models", "stream.errors"},
    "stream.users": {"models", "stream.errors", "stream.records"},
    "stream.broker": {"stream.errors", "stream.records", "stream.settings"},
    "stream.foreign": {"models", "stream.errors", "stream.event_logs", "stream.outage", "stream.records"}
    | {"stream.broker"},
    "stream.sinks": {"stream.errors", "stream.outage", "stream.records", "stream.broker"},
    "stream.flow": {"models", "checkpoints", "stream.errors", "stream.metrics", "stream.status", "stream.settings"}
    | {"stream.memory", "stream.records", "stream.users", "stream.broker"},
    "stream.web": {"models", "stream.errors", "stream.metrics", "stream.status", "stream.settings", "stream.flow"}
    | {"stream.records"},
    "stream.evaluation": {"models", "stream.errors", "stream.event_logs", "stream.records", "stream.settings"}
    | {"stream.flow"},
    "stream.ownership": {"checkpoints", "stream.errors"},
    "stream.app": {"models", "checkpoints", "stream.endings", "stream.errors", "stream.status", "stream.settings"}
    | {"stream.broker", "stream.flow", "stream.logs", "stream.metrics", "stream.ownership", "stream.web"},
}
JAX_LIVES_IN = {"models", "checkpoints"}
JAX = {"jax", "jaxlib", "flax", "optax", "orbax"}


def imports_of(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def part_of(module: str) -> str:
    """`stream.users.windows` is part of `stream.users`, `models.learner` of itself, all of `checkpoints` is one."""
    first, *rest = module.split(".")
    return f"{first}.{rest[0]}" if first != "checkpoints" and rest else first


def faults(module: str, source: str) -> list[str]:
    """What a module imports and may not."""
    part = part_of(module)
    allowed = MAY_IMPORT.get(part, MAY_IMPORT.get(part.split(".")[0]))
    found = []
    for name in imports_of(source):
        top = name.split(".")[0]
        if top in JAX and module.split(".", maxsplit=1)[0] not in JAX_LIVES_IN:
            found.append(f"{module} imports {name}: jax stays in models")
        if top in OURS and allowed is not None and not {part_of(name), top} & (allowed | {part}):
            found.append(f"{module} imports {name}: {part} knows nothing of {part_of(name)}")
    return found


def modules() -> Iterator[tuple[str, Path]]:
    for package in OURS:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts), path


def test_imports_follow_the_layers():
    assert [fault for module, path in modules() for fault in faults(module, path.read_text())] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("models.learner", "from stream.settings import Settings"),
        ("models.a_new_room.step", "from stream.settings import Settings"),
        ("models.network.step", "from models.mixture.gate import Gate"),
        ("checkpoints.store", "import models.learner"),
        ("stream.records.events", "from stream.broker.topics import TopicNames"),
        ("stream.users.windows", "def f():\n    from stream.flow.updater import Updater"),
        ("stream.flow.updater", "import jax.numpy as jnp"),
        ("stream.flow.loop", "from stream.cli.worker import worker"),
    ],
)
def test_a_planted_import_is_found(module, source):
    assert len(faults(module, source)) == 1
