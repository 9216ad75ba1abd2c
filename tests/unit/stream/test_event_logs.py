"""Files of past events: what each line becomes."""

import gzip
from pathlib import Path

import pytest

from stream.errors import ConfigError
from stream.event_logs import EventTypeMapping, Refused, Unmapped, read_log
from stream.records.events import Click, Purchase, Search

HEADER = "ts_ms,user_id,session_id,event_type,item_id,query,value\n"
NO_MAP = EventTypeMapping({})


def csv_file(directory: Path, *lines: str, name: str = "log.csv") -> Path:
    path = directory / name
    path.write_text(HEADER + "".join(line + "\n" for line in lines), encoding="utf-8", errors="surrogateescape")
    return path


def only(path: Path, mapping: EventTypeMapping = NO_MAP) -> object:
    (line,) = read_log(path, mapping)
    return line


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ("5,u1,s1,pv,i1,,cat:shoes", Click("u1", "i1", 5, session_id="s1", category="shoes")),
        ("5,u1,,interaction item deals,i1,,2.5", Click("u1", "i1", 5, value=2.5)),
        ("5,u1,,clickout item,i1,,", Purchase("u1", "i1", 5)),
        ("5,u1,,purchase,i1,,-6", Purchase("u1", "i1", 5, quantity=-6.0)),
        ('5,u1,,search for destination,,"Prado, Brazil",', Search("u1", "Prado, Brazil", 5)),
        ("5,u1,,search for item,3132840,,", Search("u1", "3132840", 5)),
    ],
)
def test_line_of_csv_becomes_an_event(tmp_path: Path, line: str, event: object):
    assert only(csv_file(tmp_path, line)) == event


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("soon,u1,,pv,i1,,", "not_an_event"),
        ("-1,u1,,pv,i1,,", "not_an_event"),
        ("5,,,pv,i1,,", "not_an_event"),
        ("5,u1,,pv,,,", "not_an_event"),
        ("5,u1,,search,,,", "not_an_event"),
        ("5,u1,,search,,   ,", "blank_query"),
        ("5,u1,,pv,i1,,much", "not_an_event"),
        ("5,u1,,pv,i1,,nan", "not_finite"),
        ("5,u1,,pv,i1", "not_csv"),
        ("5,u1,,pv,i\udcff,,", "not_utf8"),
        (f"5,u1,,pv,{'i' * 257},,", "not_an_event"),
    ],
)
def test_line_no_worker_would_take_is_refused_with_its_place(tmp_path: Path, line: str, reason: str):
    path = csv_file(tmp_path, "5,u1,,pv,i1,,", line)
    refused = list(read_log(path, NO_MAP))[1]
    assert isinstance(refused, Refused)
    assert (refused.error.reason, refused.line) == (reason, 3)
    assert str(refused).startswith(f"{path}:3: {reason}: ")


def test_line_after_a_broken_one_is_read(tmp_path: Path):
    path = csv_file(tmp_path, "x" * 200_000 + ",u1,,pv,i1,,", "5,u1,,pv,i1,,")
    assert list(read_log(path, NO_MAP))[-1] == Click("u1", "i1", 5)


def test_unmapped_type_is_told(tmp_path: Path):
    assert only(csv_file(tmp_path, "5,u1,,filter selection,,,")) == Unmapped("filter selection")


def test_gzip_reads_as_plain(tmp_path: Path):
    path = csv_file(tmp_path, "5,u1,,pv,i1,,")
    packed = tmp_path / "log.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert list(read_log(packed, NO_MAP)) == list(read_log(path, NO_MAP))


def test_file_that_is_cut_off_is_a_config_error(tmp_path: Path):
    packed = tmp_path / "log.csv.gz"
    packed.write_bytes(gzip.compress(HEADER.encode() + b"5,u1,,pv,i1,,\n" * 1_000)[:-20])
    with pytest.raises(ConfigError, match="cannot be read"):
        list(read_log(packed, NO_MAP))


def test_columns_that_are_not_needed_may_be_missing(tmp_path: Path):
    path = tmp_path / "log.csv"
    path.write_text("event_type,user_id,item_id,ts_ms\nclick,u1,i1,5\n")
    assert only(path) == Click("u1", "i1", 5)


def test_missing_column_is_a_config_error(tmp_path: Path):
    path = tmp_path / "log.csv"
    path.write_text("time,user_id,event_type\n1,u1,pv\n")
    with pytest.raises(ConfigError, match="lacks the columns ts_ms; expected ts_ms,user_id,event_type and"):
        list(read_log(path, NO_MAP))


def test_unknown_kind_of_file_is_a_config_error(tmp_path: Path):
    with pytest.raises(ConfigError, match="expected a name that ends in"):
        list(read_log(tmp_path / "log.parquet", NO_MAP))


def test_json_lines_have_the_fields_of_their_kind(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    path.write_text(
        '{"kind": "click", "user_id": "u1", "item_id": "i1", "time_ms": 5, "event_id": "e1"}\n\n'
        '{"kind": "search", "user_id": "u1", "query": "shoes", "time_ms": 6}\n'
        '{"kind": "hover", "user_id": "u1"}\n{"kind": "click"}\n{"kind"\n[]\n'
    )
    click, search, unmapped, *refused = read_log(path, NO_MAP)
    assert click == Click("u1", "i1", 5, event_id="e1")
    assert search == Search("u1", "shoes", 6)
    assert unmapped == Unmapped("hover")
    assert [(r.line, r.error.reason) for r in refused if isinstance(r, Refused)] == [
        (5, "not_an_event"),
        (6, "not_json"),
        (7, "not_an_event"),
    ]


def test_said_mapping_wins_and_the_longest_beginning_decides():
    mapping = EventTypeMapping.parse(("pv=purchase", "inter*=search", "interaction item*=click"))
    kinds = [mapping.kind_of(name) for name in ("pv", "interaction item info", "interlude", "buy", "nothing")]
    assert kinds == [1, 0, 2, 1, None]


@pytest.mark.parametrize("pair", ["pv", "pv=look"])
def test_mapping_that_names_no_kind_is_a_config_error(pair: str):
    with pytest.raises(ConfigError, match=f"--map {pair}"):
        EventTypeMapping.parse((pair,))
