"""The command `interest-stream`: one command a file, imported when it is called for."""

import importlib
import logging

import click

from stream.errors import ConfigError, InterestStreamError

COMMANDS = {
    "demo": "stream.cli.demo:demo",
    "worker": "stream.cli.worker:worker",
    "topics": "stream.cli.topics:topics",
    "simulate": "stream.cli.simulate:simulate",
    "replay": "stream.cli.replay:replay_command",
    "bridge": "stream.cli.bridge:bridge",
    "sink": "stream.cli.sink:sink",
    "evaluate": "stream.cli.evaluate:evaluate",
    "watch": "stream.cli.watch:watch",
    "segments": "stream.cli.segments:segments",
    "checkpoints": "stream.cli.checkpoints:checkpoints",
    "forget": "stream.cli.forget:forget",
    "dead-letters": "stream.cli.dead_letters:dead_letters",
    "schema": "stream.cli.schema:schema",
    "settings": "stream.cli.settings:settings",
    "doctor": "stream.cli.doctor:doctor",
}


class Failure(click.ClickException):
    """One sentence on stderr; exit code 2 when the operator can mend it, else 1."""

    def __init__(self, error: InterestStreamError) -> None:
        super().__init__(str(error))
        self.exit_code = 2 if isinstance(error, ConfigError) else 1


class LazyCommands(click.Group):
    """The commands of `COMMANDS`; imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Call a command; an error that we raise on purpose is a sentence, not a traceback."""
        try:
            return super().invoke(ctx)
        except InterestStreamError as error:
            raise Failure(error) from error


@click.group(
    cls=LazyCommands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Settings are flags, INTEREST_* variables or a TOML file; `interest-stream settings` lists them.",
)
@click.version_option(package_name="interest-stream")
def commands() -> None:
    """Events in, drifting interest vectors out.

    \b
    Example:
      interest-stream demo
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # its warnings would surround the one sentence that we say


def main() -> None:
    """The entry point of the console script."""
    commands(prog_name="interest-stream")
