"""What log lines look like, and what they do not say."""

import json
import logging
from typing import Any

import pytest
from faust.types import TP

from stream.flow.agents import decode_chunk
from stream.flow.intake import Chunk
from stream.flow.refusals import SAYS_EVERY_S, RefusalLog
from stream.logs import JsonLines, log_config
from stream.settings import Settings
from tests.support.builders import A_POLICY, NOW_MS, ARecord

SECRET = b'{"user_id": "ann", "item_id": "ring", "time_ms": 1}'


def a_refused_run(offset: int = 7) -> Chunk:
    """One record whose key is another user's."""
    return decode_chunk(TP("clicks", 2), 0, [ARecord(SECRET, b"bob", "clicks", 2, offset)], A_POLICY, NOW_MS)


def line_of(record: logging.LogRecord) -> dict[str, Any]:
    return json.loads(JsonLines("shop").format(record))


def test_a_json_line_has_app_level_and_what_was_said_extra():
    record = logging.makeLogRecord({"msg": "at %d", "args": (5,), "levelname": "INFO", "name": "stream.x", "offset": 5})
    line = line_of(record)
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "info", "logger": "stream.x", "app": "shop", "message": "at 5", "offset": 5}


def test_a_traceback_stays_on_its_line():
    try:
        raise ValueError("no")
    except ValueError as error:
        record = logging.makeLogRecord({"msg": "x", "exc_info": (ValueError, error, error.__traceback__)})
    assert "ValueError: no" in str(line_of(record)["traceback"])
    assert "\n" not in JsonLines("shop").format(record)


def test_a_refused_record_is_logged_with_where_and_why_and_without_ids(caplog):
    RefusalLog(with_ids=False).note([a_refused_run(offset=7)], 0)
    (record,) = caplog.records
    assert vars(record)["reasons"] == {"wrong_key": 1}
    assert (vars(record)["topic"], vars(record)["partition"], vars(record)["offset"]) == ("clicks", 2, 7)
    assert not any(word in str(line_of(record)) for word in ("ann", "bob", "ring"))


def test_ids_are_logged_where_they_are_asked_for(caplog):
    RefusalLog(with_ids=True).note([a_refused_run()], 0)
    assert "ann" in caplog.text


def test_a_broken_producer_does_not_fill_the_log(caplog):
    log = RefusalLog(with_ids=False)
    for second in (0, 1, 2, SAYS_EVERY_S):
        log.note([a_refused_run()], second)
    assert [vars(record)["reasons"] for record in caplog.records] == [{"wrong_key": 1}, {"wrong_key": 3}]


@pytest.mark.parametrize(("level", "of_libraries"), [("debug", "DEBUG"), ("info", "WARNING"), ("error", "ERROR")])
def test_libraries_say_less_unless_everything_is_asked_for(level: str, of_libraries: str):
    config = log_config(Settings.load(log_level=level))
    assert config["loggers"]["stream"]["level"] == level.upper()
    assert config["root"]["level"] == of_libraries
