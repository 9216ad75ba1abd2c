"""The command line: help, settings, and one sentence where something is wrong."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from stream.cli import COMMANDS, commands
from stream.cli.settings import MASK, _shown
from stream.settings import Settings


def call(*arguments: str, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(commands, arguments)


def every_command() -> Iterator[tuple[str, ...]]:
    def below(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield path
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None
                yield from below(found, (*path, name))

    return below(commands, ())


@pytest.mark.parametrize("path", list(every_command()), ids=" ".join)
def test_help_of_every_command_shows_an_example(path: tuple[str, ...]):
    result = call(*path, "--help")
    assert result.exit_code == 0
    assert "Example:" in result.output
    assert f"interest-stream {' '.join(path)}".strip() in result.output


def test_help_imports_neither_jax_nor_faust():
    code = "import sys; from stream.cli import commands; commands(['--help'], standalone_mode=False); "
    code += "sys.exit(len({'jax', 'faust', 'orbax'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode == 0


def test_commands_run_as_a_module():
    done = subprocess.run([sys.executable, "-m", "stream.cli", "--version"], check=False, capture_output=True)
    assert done.returncode == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_unknown_flag_is_exit_code_2(name: str):
    assert call(name, "--no-such-flag").exit_code == 2


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--window-size", "many"), "window_size='many'"),
        (("--window-size", "1"), "window_size='1'"),
        (("--encoder-window", "60"), "encoder_window=60 exceeds window_size=50"),
        (("--num-devices", "3"), "learn_batch_size=256 cannot be shared out evenly over num_devices=3"),
        (("--update-format", "xml"), "update_format='xml'"),
    ],
)
def test_wrong_setting_is_one_sentence_and_exit_code_2(flags: tuple[str, ...], sentence: str):
    result = call("settings", *flags)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: " + sentence)
    assert result.stderr.count("\n") == 1


def test_mistyped_variable_is_exit_code_2():
    result = call("settings", INTEREST_WINDOW_SIEZ="20")
    assert result.exit_code == 2
    assert "INTEREST_WINDOW_SIEZ" in result.stderr


def test_flag_beats_environment_beats_file_and_each_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("INTEREST_CONFIG", "")  # restored afterwards: the command sets it
    file = tmp_path / "my.toml"
    file.write_text("window_size = 21\nlearn_batch_size = 31\nbroker = 'file:1'\n")
    result = call(
        "settings", "--json", "--config", str(file), "--window-size", "41",
        INTEREST_WINDOW_SIZE="40", INTEREST_BROKER="variable:1",
    )  # fmt: skip
    rows = {row["name"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert (rows["window_size"]["value"], rows["window_size"]["source"]) == (41, "flag")
    assert (rows["broker"]["value"], rows["broker"]["source"]) == ("variable:1", "INTEREST_BROKER")
    assert (rows["learn_batch_size"]["value"], rows["learn_batch_size"]["source"]) == (31, "file")
    assert rows["dim"]["source"] == "default"


def test_missing_settings_file_is_exit_code_2():
    assert call("settings", "--config", "no-such.toml").exit_code == 2


def test_markdown_table_has_every_setting():
    lines = call("settings", "--markdown").stdout.splitlines()
    assert [line.split("`")[1] for line in lines[2:]] == list(Settings.model_fields)


def test_secrets_are_masked():
    assert _shown(SecretStr("hunter2")) == MASK
    assert _shown(SecretStr("")) == ""


@pytest.mark.parametrize("kind", ["click", "purchase", "search", "interest-update", "item-vector"])
def test_schema_of_a_kind_is_json_schema(kind: str):
    schema = json.loads(call("schema", "--kind", kind).stdout)
    assert "$ref" in schema


def test_schema_of_all_kinds_is_one_object():
    assert set(json.loads(call("schema").stdout)) == {"click", "purchase", "search", "interest-update", "item-vector"}


@pytest.mark.parametrize(
    "arguments",
    [("topics", "check"), ("topics", "create"), ("watch",), ("dead-letters", "list"), ("dead-letters", "replay")],
    ids=" ".join,
)
def test_missing_broker_is_one_sentence_and_exit_code_2(arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stream.broker.connection.CONNECT_TIMEOUT_MS", 100)
    result = call(*arguments, "--broker", "127.0.0.1:1")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: no Kafka broker answers at 127.0.0.1:1; start one there")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("address", ["nonsense", "host:port"])
def test_broker_that_is_no_address_is_exit_code_2(address: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stream.broker.connection.CONNECT_TIMEOUT_MS", 100)
    result = call("topics", "check", "--broker", address)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def test_replay_without_a_broker_is_exit_code_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stream.broker.bulk_producer.CONNECT_TIMEOUT_S", 0.1)
    file = tmp_path / "log.jsonl"
    file.write_text('{"kind": "click", "user_id": "u1", "item_id": "i1", "time_ms": 5}\n')
    result = call("replay", str(file), "--broker", "127.0.0.1:1")
    assert result.exit_code == 2
    assert "no Kafka broker answers" in result.stderr


def test_doctor_says_what_is_wrong_and_exits_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stream.broker.connection.CONNECT_TIMEOUT_MS", 100)
    result = call("doctor", "--broker", "127.0.0.1:1", "--checkpoint-dir", str(tmp_path / "new"), "--json")
    found = {row["what"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert result.exit_code == 1
    assert not found["broker"]["ok"]
    assert found["checkpoints"]["ok"]
    assert "bytes and the id for each user" in found["memory"]["detail"]
    assert not (tmp_path / "new").exists()


def test_doctor_finds_fewer_devices_than_the_settings_ask_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stream.broker.connection.CONNECT_TIMEOUT_MS", 100)
    flags = ("--broker", "127.0.0.1:1", "--checkpoint-dir", str(tmp_path / "new"), "--num-devices", "128", "--json")
    found = {row["what"]: row for row in map(json.loads, call("doctor", *flags).stdout.splitlines())}
    assert found["device"]["ok"]
    assert not found["devices"]["ok"]
    assert "num_devices=128: expected as many devices on this host, got" in found["devices"]["detail"]


@pytest.mark.parametrize(
    ("library", "module", "arguments", "extra"),
    [
        ("redis", "stream.sinks.redis", ("sink", "redis"), "redis"),
        ("psycopg", "stream.sinks.pgvector", ("sink", "pgvector"), "pgvector"),
        (
            "confluent_kafka.schema_registry",
            "stream.foreign.registry",
            ("bridge", "t", "--format", "segment", "--encoding", "avro", "--schema-registry", "http://localhost:1"),
            "registry",
        ),
    ],
)
def test_missing_extra_is_one_sentence_and_exit_code_2(
    library: str, module: str, arguments: tuple[str, ...], extra: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.stderr.endswith(f"pip install 'interest-stream[{extra}]'\n")


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--encoding", "avro"), "needs --schema-registry URL"),
        (("--schema-registry", "http://localhost:1"), "goes with --encoding avro or protobuf"),
    ],
)
def test_bridge_with_half_a_registry_is_exit_code_2(flags: tuple[str, ...], sentence: str):
    result = call("bridge", "t", "--format", "segment", *flags)
    assert result.exit_code == 2
    assert sentence in result.stderr


INTERRUPTED_WHILE_IMPORTING = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background ignores it
class Interrupts:
    def find_spec(self, name, *_):
        if name == "stream.cli.settings":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupts())
sys.argv[1:] = ["settings"]
from stream.entry import main
main()
"""


def test_ctrl_c_while_a_command_is_imported_ends_it_without_a_word():
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_WHILE_IMPORTING], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


@click.command()
def interrupted() -> None:
    raise KeyboardInterrupt


def test_ctrl_c_in_a_command_is_an_exit_code_and_no_traceback(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(COMMANDS, "interrupted", f"{__name__}:interrupted")
    result = call("interrupted")
    assert (result.exit_code, result.output) == (130, "")
