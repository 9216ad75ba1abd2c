"""Where something is in a JSON object: `properties.product_id`, or `a.b|c` for the first of two that is there. Pure.

A part `list[key=word]` is the first element of a list whose `key` is `word`; a path that begins with `@.` starts at the
element that is looked at, any other at the whole object.
"""

import re
from collections.abc import Callable
from typing import Any

from stream.errors import ConfigError

Read = Callable[[Any, Any], Any]
"""The value for a whole object and the element looked at, None where nothing is."""

_PART = re.compile(r"(?P<name>[^.\[\]|]+)(\[(?P<key>[^=\]]+)=(?P<word>[^\]]+)\])?")


def compile_path(path: str) -> Read:
    """The function that reads what a path says.

    Raises:
        ConfigError: it is none.
    """
    alternatives = [_compile_one(one.strip()) for one in path.split("|")]

    def read(whole: Any, element: Any) -> Any:
        found = (read_one(whole, element) for read_one in alternatives)
        return next((value for value in found if value not in (None, "")), None)

    return read


def _compile_one(path: str) -> Read:
    is_of_element = path == "@" or path.startswith("@.")
    rest = path[2:] if is_of_element else path
    matches = [_PART.fullmatch(part) for part in _parts(rest)]
    if not path or not all(matches):
        raise ConfigError(f"path {path!r}: expected names joined by dots, such as properties.items[key=word].value")
    steps = [match.group("name", "key", "word") for match in matches if match]

    def read(whole: Any, element: Any) -> Any:
        value = element if is_of_element else whole
        for name, key, word in steps:
            value = value.get(name) if isinstance(value, dict) else None
            if key:
                value = _first_with(value, key, word)
        return value

    return read


def _parts(path: str) -> list[str]:
    """Dots inside of brackets belong to the word."""
    return re.findall(r"(?:[^.\[]|\[[^\]]*\])+|\.\.", path) if path else []


def _first_with(value: Any, key: str, word: str) -> Any:
    elements = value if isinstance(value, list) else ()
    return next((one for one in elements if isinstance(one, dict) and str(one.get(key)) == word), None)
