"""What the README and the documents say must be so: settings, commands, the tests they name, where links lead."""

import ast
import re
from pathlib import Path

import pytest

from stream.cli import COMMANDS
from stream.cli.settings import markdown_table

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def test_the_settings_table_is_the_code():
    assert markdown_table() in README, "put the output of `interest-stream settings --markdown` into the README"


def test_every_command_is_in_the_table():
    assert [name for name in COMMANDS if f"| `{name}" not in README] == []


def test_every_guarantee_names_tests_that_exist():
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", README)

    missing = [path for path, test in named if not defines(ROOT / path, test)]

    assert len(named) >= 8
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(document):
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", document.read_text())

    targets = [(document.parent / path if path else document, heading) for path, heading in links]

    assert [path for path, _ in targets if not path.exists()] == []
    assert [heading for path, heading in targets if heading and heading not in headings_of(path)] == []


def headings_of(document: Path) -> set[str]:
    """As links name them: lower case, spaces are hyphens, nothing else but letters and digits."""
    lines = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line).lower().replace(" ", "-") for line in lines}


def defines(path: Path, test: str) -> bool:
    """Whether the file is there and has the test, if one is named."""
    if not path.exists():
        return False
    functions = {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}
    return not test or test in functions
