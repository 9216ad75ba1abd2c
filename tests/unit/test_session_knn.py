"""The peer that our rankers are measured against must be right, or it is no peer."""

from tests.benchmark.peers.protocol import MISS
from tests.benchmark.peers.session_knn import SessionNeighbours


def neighbours_of(**sessions: str) -> SessionNeighbours:
    """Sessions of one-letter items, one after the other."""
    peer = SessionNeighbours()
    for session, items in sessions.items():
        for item in items:
            peer.learn(session, item)
    return peer


def test_what_the_session_with_most_in_common_has_comes_first():
    peer = neighbours_of(one="abx", two="bcy", three="dez", now="ab")
    scores = peer.scores("now")
    assert scores["x"] > scores["y"] > 0
    assert "z" not in scores
    assert peer.rank("now", "x") < peer.rank("now", "y") < peer.rank("now", "z") == MISS


def test_an_item_in_common_weighs_more_the_later_it_came():
    peer = neighbours_of(one="ax", two="by", three="cz", now="ab")
    assert peer.scores("now")["y"] > peer.scores("now")["x"]


def test_a_session_is_no_neighbour_of_its_own():
    assert neighbours_of(one="cd", now="ab").scores("now") == {}


def test_ties_count_against_the_target():
    peer = neighbours_of(one="axy", now="a")
    assert peer.rank("now", "x") == peer.rank("now", "y") == 1
