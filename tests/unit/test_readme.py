"""What the README says must be so: its settings table, its commands, the tests it names."""

import ast
import re
from pathlib import Path

from stream.cli import COMMANDS
from stream.cli.settings import markdown_table

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_settings_table_is_the_code():
    assert markdown_table() in README, "put the output of `interest-stream settings --markdown` into the README"


def test_every_command_is_in_the_table():
    assert [name for name in COMMANDS if f"| `{name}" not in README] == []


def test_every_guarantee_names_tests_that_exist():
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", README)

    missing = [path for path, test in named if not defines(ROOT / path, test)]

    assert len(named) >= 8
    assert missing == []


def defines(path: Path, test: str) -> bool:
    """Whether the file is there and has the test, if one is named."""
    if not path.exists():
        return False
    functions = {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}
    return not test or test in functions
