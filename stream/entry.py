"""The console script. Imports nothing heavy, so that Ctrl-C is quiet from the first moment on."""

import signal


def main() -> None:
    """`interest-stream`; until a command begins there is nothing to tidy up, and Ctrl-C just ends the process."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is ignored, as in the background
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from stream.cli import commands  # noqa: PLC0415  (a second of imports)

    commands(prog_name="interest-stream")
