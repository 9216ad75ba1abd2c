"""`interest-stream evaluate`, end to end on small logs."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stream.cli import commands

SIZES = {"dim": 8, "encoder-window": 4, "max-items": 300, "max-queries": 16, "learn-batch-size": 16}
TINY = [f"--{name}={value}" for name, value in {**SIZES, "replay-capacity": 256}.items()]
TINY += [f"--set={change}" for change in ("num_negatives=8", "memory_slots=4", "num_query_tokens=32")]


def evaluate(*arguments: str, cache: Path) -> Result:
    return CliRunner().invoke(commands, ["evaluate", *arguments, *TINY, "--compilation-cache", str(cache)])


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp() / "compiled"


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
    """Sessions that walk up through the items, then down; an item that was never seen, and a session of one click."""
    up = [f"{s} {(s + step) % 9}" for s in range(30) for step in range(4)]
    down = [f"{s} {(s - step) % 9}" for s in range(100, 160) for step in range(4)]
    extra = ["900 77", "901 1", "902 2", "902 77", "902 3"]
    for period, lines in enumerate([up, down + extra]):
        (folder / f"period_{period}.txt").write_text("\n".join(lines))
    return folder


def last_line(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
    return found


def test_a_pattern_is_learned_and_popularity_does_not_know_it(cache: Path, tmp_path: Path):
    summary = last_line(evaluate(str(a_cycle(tmp_path / "log.csv")), "--json", cache=cache))

    assert summary["counting"]["recall@1"] > 0.6
    assert summary["mixture"]["recall@5"] > 0.6 > summary["popularity"]["recall@1"]
    assert summary["predictions"] == 40 * 7
    assert summary["counting"]["accuracy"] == summary["counting"]["recall@1"]


def test_nothing_of_a_period_is_learned_before_it_is_scored(cache: Path, tmp_path: Path):
    periods = [str(some_periods(tmp_path)), "--protocol", "periods", "--json"]
    frozen, live = (last_line(evaluate(*periods, "--update", update, cache=cache)) for update in ("period", "event"))

    assert frozen["counting"]["recall@1"] < 0.05 < live["counting"]["recall@1"]
    assert frozen["predictions"] == live["predictions"] == 60 * 3 + 1  # of the extra sessions only `2, 3` remains


def test_report_and_picture_hold_all_and_the_same_seed_gives_the_same(cache: Path, tmp_path: Path):
    log = str(a_cycle(tmp_path / "log.csv"))
    shown = [evaluate(log, "--folds", "3", "--sample", "0.5", "--out", str(tmp_path / n), cache=cache) for n in "ab"]
    report, again = (json.loads((tmp_path / n / "report.json").read_text()) for n in "ab")

    assert "counting" in shown[0].stdout
    assert [part["part"] for part in report["stretches"]] == [1, 2, 3]
    low, high = report["interval"]["counting"]["recall@20"]
    assert low <= report["counting"]["recall@20"] <= high
    assert {"click", "purchase", "new users", "old items"} <= set(report["groups"])
    assert report["against_counting"]["popularity"]["accuracy"]["p_value"] < 0.05
    assert (tmp_path / "a" / "stream.png").read_bytes().startswith(b"\x89PNG")
    assert {**report, "events_per_s": 0} == {**again, "events_per_s": 0}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--update", "period"], "--folds"),
        (["--set", "no_such=1"], "no_such"),
        (["--set", "dropout=much"], "valid number"),
        (["--set", "encoder=gruu"], "'gru', 'lstm', 'linear'"),
        (["--protocol", "periods"], "folder"),
        (["--no-learning"], "learning"),
        (["--map", "click=nothing"], "nothing"),
    ],
)
def test_a_wrong_call_is_one_sentence(cache: Path, tmp_path: Path, arguments: list[str], expected: str):
    result = evaluate(str(a_cycle(tmp_path / "log.csv")), *arguments, cache=cache)

    assert result.exit_code == 2
    assert expected in result.stderr
    assert result.stderr.count("\n") <= 2


def test_only_the_targets_are_predicted_and_only_the_inputs_are_read(cache: Path, tmp_path: Path):
    log = str(a_cycle(tmp_path / "log.csv"))
    bought = last_line(evaluate(log, "--targets", "purchase", "--json", cache=cache))
    clicked = last_line(evaluate(log, "--inputs", "click", "--json", cache=cache))

    assert (bought["predictions"], bought["events"]) == (40, 40 * 8)
    assert (clicked["predictions"], clicked["events"]) == (40 * 6, 40 * 7)


@pytest.mark.parametrize("said", [["--targets", "search"], ["--inputs", "click,view"]])
def test_a_kind_that_cannot_be_is_told(said: list[str], cache: Path, tmp_path: Path):
    result = evaluate(str(a_cycle(tmp_path / "log.csv")), *said, cache=cache)

    assert result.exit_code == 2
    assert "separated by commas" in result.output
