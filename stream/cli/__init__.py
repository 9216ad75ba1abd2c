"""The command `interest-stream`: one command a file, imported when it is called for."""

import importlib
import logging
import signal

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


INTERRUPTED = 128 + signal.SIGINT  # as a shell says it


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
        """Import a command; from here on Ctrl-C raises, so that it can tidy up."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Call a command; an error that we raise on purpose is a sentence, Ctrl-C an exit code, neither a traceback."""
        try:
            return super().invoke(ctx)
        except InterestStreamError as error:
            raise Failure(error) from error
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


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
