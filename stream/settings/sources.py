"""Where settings come from, and one sentence where they are not as they must be."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from stream.errors import ConfigError

ENV_PREFIX = "INTEREST_"
CONFIG_FILE_VARIABLE = "INTEREST_CONFIG"
DEFAULT_CONFIG_FILE = "interest-stream.toml"


def config_file() -> Path:
    """The TOML file; it need not exist."""
    return Path(os.environ.get(CONFIG_FILE_VARIABLE, DEFAULT_CONFIG_FILE))


def refuse_unknown_variables(names: Collection[str]) -> None:
    """A mistyped variable must not be ignored in silence.

    Args:
        names: of all settings.

    Raises:
        ConfigError: the environment has one of none of them.
    """
    known = {ENV_PREFIX + name.upper() for name in names} | {CONFIG_FILE_VARIABLE}
    unknown = sorted(v for v in os.environ if v.upper().startswith(ENV_PREFIX) and v.upper() not in known)
    if unknown:
        raise ConfigError(f"{', '.join(unknown)}: no such setting; `interest-stream settings` lists them")


def sentence(error: Any, secrets: Collection[str]) -> str:
    """What is wrong with one setting, of pydantic's description; the values of `secrets` are not shown."""
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{where} is not a setting; `interest-stream settings` lists them"
    message = error["msg"].removeprefix("Value error, ")
    if where in secrets:
        return f"{where}: {message}"
    return f"{where}={error['input']!r}: {message}" if where else message
