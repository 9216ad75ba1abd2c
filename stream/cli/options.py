"""Settings as flags, `--config` and `--json`: what commands share on the command line."""

import functools
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from pydantic.fields import FieldInfo

from stream.errors import ConfigError
from stream.settings import CONFIG_FILE_VARIABLE, Settings

Command = Callable[..., Any]

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")


def with_settings(*shown: str, every: bool = False) -> Callable[[Command], Command]:
    """Give a command `settings` as its first argument, loaded from flags, environment and file.

    Args:
        shown: settings that are flags of this command and stand in its help.
        every: accept all other settings as flags too, without listing them in the help.
    """
    hidden = [name for name in Settings.model_fields if name not in shown] if every else []

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def load_and_call(config: str | None, **arguments: Any) -> Any:
            if config is not None:
                os.environ[CONFIG_FILE_VARIABLE] = config  # a worker that this process starts reads the same file
            flags = {name: arguments.pop(name) for name in (*shown, *hidden)}
            return command(Settings.load(**flags), **arguments)

        decorated: Command = load_and_call
        for name in reversed([*shown, *hidden]):
            decorated = _flag(name, Settings.model_fields[name], name in hidden)(decorated)
        return _config_option(decorated)

    return decorate


def _flag(name: str, field: FieldInfo, hidden: bool) -> Callable[[Command], Command]:
    flag = "--" + name.replace("_", "-")
    if field.annotation is bool:
        flag = f"{flag}/--no-{flag[2:]}"
        return click.option(flag, name, default=None, hidden=hidden, help=field.description)
    return click.option(flag, name, metavar=_metavar(field), default=None, hidden=hidden, help=_help(field))


def _metavar(field: FieldInfo) -> str:
    numbers = {int: "N", float: "X", Path: "DIR"}
    return numbers.get(field.annotation, "TEXT") if isinstance(field.annotation, type) else "TEXT"


def _help(field: FieldInfo) -> str:
    return f"{field.description} [{field.default}]" if str(field.default) else str(field.description)


_config_option = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    help=f"TOML file with settings; also {CONFIG_FILE_VARIABLE}.",
)


def existing_files(name: str) -> Callable[[Command], Command]:
    """One or more files as an argument."""
    return click.argument(name, nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))


def optional(module: str, extra: str) -> Any:
    """A module of ours that needs an extra.

    Raises:
        ConfigError: the extra is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is not installed; expected the extra: pip install 'interest-stream[{extra}]'"
        ) from None
