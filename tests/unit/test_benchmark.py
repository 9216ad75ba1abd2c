"""The pure parts of the benchmarks, and that what documents and figures name is there."""

import ast
import importlib.util
import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from models.quality.predictions import PREDICTION
from tests.benchmark import quality_peers
from tests.benchmark.bench import PARTS
from tests.benchmark.devices import exchanged
from tests.benchmark.figures import Figure
from tests.benchmark.latency import Stamp, Waiting
from tests.benchmark.peers.protocol import answers, place
from tests.benchmark.profile_event import LINES
from tests.benchmark.targets import TARGETS, Target, put_between, table

ROOT = Path(__file__).parents[2]
A_FIGURE = Figure("cost", 3.0, "us", "a command", peer=2.0, peer_name="a peer", machine="a machine")


def test_every_command_that_is_named_is_there():
    named = {
        match
        for path in (ROOT / "README.md", ROOT / "Makefile", *ROOT.glob("docs/*.md"), *ROOT.glob("tests/benchmark/*.py"))
        for line in path.read_text().splitlines()
        if " at commits " not in line  # what was measured then, by what was there then
        for match in re.findall(r"-m (tests\.benchmark\.[\w.]+)", line)
    }

    assert len(named) >= len(PARTS)
    assert [name for name in named if importlib.util.find_spec(name) is None] == []


def test_every_part_has_figures_that_name_its_command():
    sources = {part: (ROOT / "tests" / "benchmark" / f"{part}.py").read_text() for part in PARTS}

    assert [
        part
        for part, source in sources.items()
        if f'COMMAND = ".venv/bin/python -m tests.benchmark.{part}"' not in source
    ] == []


def test_every_line_of_the_profile_is_a_function():
    missing = [
        (file, function)
        for _, file, function in LINES
        if not any(
            defines(path, function)
            for package in ("stream", "models")
            for path in (ROOT / package).rglob("*.py")
            if str(path).endswith(file)
        )
    ]

    assert missing == []


def defines(path: Path, function: str) -> bool:
    return any(
        isinstance(node, ast.FunctionDef) and node.name == function for node in ast.walk(ast.parse(path.read_text()))
    )


def test_an_update_answers_all_events_of_its_user_up_to_its_time():
    waiting = Waiting()
    for user, time_ms, at_s in (("ann", 1, 10.0), ("bob", 2, 10.1), ("ann", 3, 10.2), ("ann", 4, 10.3)):
        waiting.sent(Stamp(user, time_ms), at_s)

    waiting.answered(Stamp("ann", 3), 11.0)

    assert waiting.latencies_s == pytest.approx([1.0, 0.8])
    assert len(waiting) == 2


def test_figures_come_back_from_their_lines():
    assert Figure.from_json(A_FIGURE.to_json()) == A_FIGURE


@pytest.mark.parametrize(
    ("target", "is_met"),
    [
        (Target("cost", "", least_ratio=1.5), True),
        (Target("cost", "", least_ratio=1.6), False),
        (Target("cost", "", most_ratio=1.5), True),
        (Target("cost", "", most_ratio=1.4), False),
        (Target("cost", "", most=3), True),
        (Target("cost", "", most=2), False),
        (Target("cost", ""), True),
    ],
)
def test_a_figure_meets_its_target_at_the_bound(target: Target, is_met: bool):
    assert target.is_met(A_FIGURE) == is_met
    assert ("**missed**" in table([A_FIGURE], [target])) != is_met


def test_a_table_has_what_was_measured_only():
    assert table([A_FIGURE], TARGETS).count("\n") == 1


def test_a_table_replaces_the_one_that_was_there():
    before = "above\n<!-- here -->\n\nold\n\n<!-- end of here -->\nbelow"

    assert put_between(before, "here", "a \\1 b") == before.replace("old", "a \\1 b")


@pytest.mark.parametrize(("others", "rank"), [([0.4], 0), ([0.5], 1), ([0.6, 0.5, 0.1], 2), ([math.nan], 1)])
def test_a_peers_ties_and_what_is_not_a_number_count_against_it(others: list[float], rank: int):
    assert place(0.5, [*others, 0.5]) == rank


class LastItem:
    """Ranks what a session had last first, of all that came before the last retraining."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}
        self._known: dict[str, str] = {}

    def learn(self, session: str, item: str) -> None:
        self._last[session] = item

    def retrain(self) -> None:
        self._known = dict(self._last)

    def rank(self, session: str, target: str) -> int:
        return 0 if self._known.get(session) == target else 7


def test_a_peer_answers_what_it_is_asked_with_what_it_knew_then_and_its_cost():
    asked = [{"learn": ["s", "a"]}, {"rank": ["s", "a"]}, {"retrain": 0}, {"rank": ["s", "a"]}]

    *ranks, cost = answers(LastItem(), map(json.dumps, asked), ["numpy"])

    assert ranks == ["7", "0"]
    assert json.loads(cost)["versions"] == {"numpy": np.__version__}


def test_a_peer_in_a_process_of_its_own_ranks_the_same_predictions():
    events = [(session, item) for session in ("s", "t", "u") for item in ("a", "b", "c")]
    judged = np.zeros(2, PREDICTION)
    judged["position"] = 7, 8  # before them no session had an item that u did not have
    recording = quality_peers.Recording(events, [6, 9], judged)

    ranked = quality_peers.ask(quality_peers.Peer(Path(sys.executable), "session_knn"), recording)

    assert [line for line in recording.lines({7}) if "learn" not in line] == ['{"retrain": 0}', '{"rank": ["u", "b"]}']
    assert ranked.at.tolist() == [0, 1]
    assert (ranked.ranks < 3).all()


def test_what_devices_exchange_is_read_off_the_compiled_code():
    compiled = """
      %all-reduce = f32[2,64]{1,0} all-reduce(%fusion), channel_id=2
      ROOT %all-reduce.1 = (f32[], /*index=1*/s8[3,2]{1,0}, pred[5]) all-reduce(%a, %b, %c), channel_id=3
      %fusion = f32[100]{0} fusion(%all-gather), kind=kLoop
    """
    assert exchanged(compiled) == 2 * 64 * 4 + (4 + 6 + 5)
