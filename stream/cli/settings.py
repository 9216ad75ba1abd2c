"""`interest-stream settings`: what is set, and where."""

from typing import Any

import click
import msgspec
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from stream.cli.options import as_json, with_settings
from stream.settings import ENV_PREFIX, Settings, plain

MASK = "********"


@click.command()
@with_settings(every=True)
@as_json
@click.option("--markdown", is_flag=True, help="Print the table of all settings and defaults that the README has.")
def settings(settings: Settings, as_json: bool, markdown: bool) -> None:
    """Print the settings that hold, and where each was said; secrets are masked.

    Every setting is a flag, too (window_size: --window-size).

    \b
    Example:
      INTEREST_BROKER=kafka:9092 interest-stream settings --window-size 30
    """
    if markdown:
        click.echo(markdown_table())
        return
    source_of = _sources(settings)
    rows = [(name, _shown(getattr(settings, name)), source_of[name]) for name in Settings.model_fields]
    if as_json:
        for name, value, source in rows:
            click.echo(msgspec.json.encode({"name": name, "value": value, "source": source}))
        return
    width = max(len(name) for name, _, _ in rows)
    for name, value, source in rows:
        click.echo(f"{name:{width}}  {value}" + (f"  ({source})" if source != "default" else ""))


def markdown_table() -> str:
    """All settings, their variables, defaults and meanings."""
    head = ["| setting | default | meaning |", "|---|---|---|"]
    return "\n".join(head + [_markdown_row(name, field) for name, field in Settings.model_fields.items()])


def _markdown_row(name: str, field: FieldInfo) -> str:
    default = _shown(field.default)
    return f"| `{name}` | {f'`{default}`' if default != '' else ''} | {field.description} |"


def _shown(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else ""
    return value if isinstance(value, int | float | str | bool) else str(value)


def _sources(settings: Settings) -> dict[str, str]:
    reads_environment = EnvSettingsSource(Settings)
    _, environment, file = Settings.settings_customise_sources(Settings, *[reads_environment] * 4)
    in_environment, in_file = environment(), file()

    def source(name: str) -> str:
        value = plain(getattr(settings, name))
        if name not in settings.model_fields_set:
            return "default"
        if name in in_environment and str(in_environment[name]) == value:
            return ENV_PREFIX + name.upper()
        return "file" if name in in_file and str(in_file[name]) == value else "flag"

    return {name: source(name) for name in Settings.model_fields}
