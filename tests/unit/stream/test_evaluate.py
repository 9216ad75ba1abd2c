"""`interest-stream evaluate`, end to end on small logs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from stream.cli import commands

TINY = "--dim 8 --encoder-window 4 --max-items 300 --max-queries 16 --learn-batch-size 16 --replay-capacity 256".split()
TINY += "--set num_negatives=8 --set memory_slots=4 --set num_query_tokens=32".split()


@pytest.fixture
def evaluate(tmp_path: Path) -> Any:
    def call(*arguments: str) -> Result:
        given = ["evaluate", *arguments, *TINY, "--compilation-cache", str(tmp_path.parent / "xla")]
        return CliRunner().invoke(commands, given)

    return call


def a_cycle(path: Path, num_users: int = 40, num_items: int = 12) -> Path:
    """Users who walk through the items in one order, each from another start, with a search first."""
    rows = ["ts_ms,user_id,session_id,event_type,item_id,query,value"]
    for step in range(8):
        for user in range(num_users):
            kind = "buy" if step == 7 else "click"
            rows.append(f"{1000 * len(rows)},u{user},,{kind},i{(user + step) % num_items},,")
    path.write_text("\n".join(rows))
    return path


def some_periods(folder: Path) -> Path:
    """Sessions that repeat one pattern; period 1 alone has an item that was never seen, and a session of one click."""
    for period in range(3):
        lines = [f"{100 * period + s} {(s + step) % 9}" for s in range(30) for step in range(4)]
        extra = ["900 77", "901 1", "902 2", "902 77", "902 3"] if period == 1 else []
        (folder / f"period_{period}.txt").write_text("\n".join(lines + extra))
    return folder


def last_line(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
    return found


def test_a_pattern_is_learned_and_popularity_does_not_know_it(evaluate: Any, tmp_path: Path):
    summary = last_line(evaluate(str(a_cycle(tmp_path / "log.csv")), "--json"))

    assert summary["counting"]["recall@1"] > 0.6
    assert summary["mixture"]["recall@5"] > 0.6 > summary["popularity"]["recall@1"]
    assert summary["predictions"] == 40 * 7
    assert summary["counting"]["accuracy"] == summary["counting"]["recall@1"]


def test_the_same_seed_gives_the_same_figures(evaluate: Any, tmp_path: Path):
    log = str(a_cycle(tmp_path / "log.csv"))
    one, other = (last_line(evaluate(log, "--json", "--sample", "0.5", "--seed", "3")) for _ in range(2))

    assert one["mixture"] == other["mixture"]
    assert 0 < one["predictions"] == other["predictions"] < 40 * 7


@pytest.mark.parametrize("update", ["event", "period"])
def test_periods_judge_known_items_after_the_first_of_a_session(evaluate: Any, tmp_path: Path, update: str):
    result = evaluate(str(some_periods(tmp_path)), "--protocol", "periods", "--update", update, "--json")
    first, second = map(json.loads, result.stdout.splitlines()[:2])

    assert first["predictions"] == 30 * 3 + 1  # of the extra sessions only `2, 3` remains
    assert second["predictions"] == 30 * 3


def test_nothing_of_a_period_is_learned_before_it_is_scored(evaluate: Any, tmp_path: Path):
    folder = some_periods(tmp_path)
    (folder / "period_1.txt").write_text("\n".join(f"{s} {(-step - s) % 9}" for s in range(200, 260) for step in range(4)))
    figures = {
        update: last_line(evaluate(str(folder), "--protocol", "periods", "--periods", "1", "--update", update, "--json"))
        for update in ("event", "period")
    }

    assert figures["period"]["counting"]["recall@1"] < 0.05 < figures["event"]["counting"]["recall@1"]


def test_report_and_picture_are_written_and_hold_all_rankers(evaluate: Any, tmp_path: Path):
    result = evaluate(str(a_cycle(tmp_path / "log.csv")), "--folds", "3", "--out", str(tmp_path / "out"))
    report = json.loads((tmp_path / "out" / "report.json").read_text())

    assert "counting" in result.stdout
    assert [part["part"] for part in report["stretches"]] == [1, 2, 3]
    low, high = report["interval"]["counting"]["recall@20"]
    assert low <= report["counting"]["recall@20"] <= high
    assert {"click", "purchase", "new users", "old items"} <= set(report["groups"])
    assert report["against_counting"]["popularity"]["accuracy"]["p_value"] < 0.05
    assert (tmp_path / "out" / "stream.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--update", "period"], "--folds"),
        (["--set", "no_such=1"], "no_such"),
        (["--set", "dropout=much"], "float"),
        (["--protocol", "periods"], "folder"),
        (["--map", "click=nothing"], "nothing"),
    ],
)
def test_a_wrong_call_is_one_sentence(evaluate: Any, tmp_path: Path, arguments: list[str], expected: str):
    result = evaluate(str(a_cycle(tmp_path / "log.csv")), *arguments)

    assert result.exit_code == 2
    assert expected in result.stderr
    assert np.char.count(result.stderr, "\n") <= 2
