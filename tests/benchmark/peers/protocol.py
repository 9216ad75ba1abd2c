"""How a peer in an environment of its own is asked, as JSON Lines: what to learn, and what to rank. Plain Python.

On stdin, in the order of the stream:

    {"learn": [session, item]}      an event
    {"rank": [session, item]}       where does the item stand as the session's next? A line with the rank comes back
    {"retrain": period}             a period is over

At the end of stdin a last line tells `Cost` and versions.
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any, Protocol

MISS = 10**6  # the rank of an item that a peer cannot rank


class Peer(Protocol):
    """Recommends a session's next item."""

    def learn(self, session: str, item: str) -> None:
        """One more event."""

    def rank(self, session: str, target: str) -> int:
        """Where the target stands among all items it knows, 0 the top, ties against it; MISS if it does not know it."""

    def retrain(self) -> None:
        """A period is over."""


@dataclass
class Cost:
    """Seconds of the processor, all threads.

    Attributes:
        learn_s: over all events, retraining included.
        rank_s: over all ranks.
        versions: by package.
    """

    learn_s: float = 0.0
    rank_s: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)


def place(target: Any, scores: Iterable[Any]) -> int:
    """The rank of a score among `scores`, itself included: how many others are not below it, nan against it."""
    return sum(not score < target for score in scores) - 1


def answers(peer: Peer, lines: Iterable[str], packages: Sequence[str] = ()) -> Iterator[str]:
    """The lines that a peer answers, the last of which is its cost."""
    cost = Cost(versions={package: version(package) for package in packages})
    for line in lines:
        ((verb, given),) = json.loads(line).items()
        began_s = time.process_time()
        if verb == "rank":
            rank = peer.rank(*given)
            cost.rank_s += time.process_time() - began_s
            yield str(int(rank))
            continue
        if verb == "retrain":
            peer.retrain()
        else:
            peer.learn(*given)
        cost.learn_s += time.process_time() - began_s
    yield json.dumps(asdict(cost))


def serve(peer: Peer, *packages: str) -> None:
    """Answer stdin on stdout."""
    for line in answers(peer, sys.stdin, packages):
        print(line, flush=True)
