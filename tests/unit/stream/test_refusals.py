from dataclasses import replace

import pytest

from stream.errors import ConfigError
from stream.flow.intake import Chunk
from stream.flow.refusals import FEWEST_RECORDS, RefusalLimit
from stream.records.updates import EncodedRecord
from tests.support.builders import a_chunk, a_click, a_search

A_LETTER = EncodedRecord(b"u1", b"{")


def a_run(records: int, refused: int, of: Chunk | None = None) -> list[Chunk]:
    return [replace(of or a_chunk([a_click()]), num_records=records, dead_letters=[A_LETTER] * refused)]


def test_half_is_allowed_and_one_more_is_not():
    RefusalLimit(0.5).check(a_run(200, 100), 0)
    with pytest.raises(ConfigError, match="101 of the last 200 records of clicks cannot be used"):
        RefusalLimit(0.5).check(a_run(200, 101), 0)


def test_few_records_prove_nothing():
    limit = RefusalLimit(0.5)

    limit.check(a_run(FEWEST_RECORDS - 1, FEWEST_RECORDS - 1), 0)

    with pytest.raises(ConfigError):
        limit.check(a_run(1, 1), 0)


def test_what_is_longer_ago_than_a_minute_does_not_count():
    limit = RefusalLimit(0.5)
    limit.check(a_run(90, 90), 0)

    limit.check(a_run(90, 90), 60.1)


def test_a_broken_topic_is_not_hidden_by_a_busy_one():
    limit = RefusalLimit(0.5)
    limit.check(a_run(10_000, 0), 0)

    with pytest.raises(ConfigError, match="searches"):
        limit.check(a_run(150, 140, of=a_chunk([a_search()])), 1)
