"""What the app takes of Faust, and what it leaves."""

from faust.app import BootStrategy

from stream.app import build_app
from stream.settings import Settings


def test_fausts_own_server_stays_off_though_its_command_turns_it_on():
    app = build_app(Settings.load())
    app.conf.web_enabled = True  # as `faust worker` does
    assert isinstance(app.boot_strategy, BootStrategy)
    assert list(app.boot_strategy.web_server()) == []
