import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v4, FetchRequest_v11

from stream.broker.fetch_sessions import FetchSession, SessionClient

SIZE = 1_000
ANSWER = SimpleNamespace(error_code=0, session_id=7)
REFUSAL = SimpleNamespace(error_code=70, session_id=0)


def a_fetch(**offsets: int) -> FetchRequest:
    """Of partitions of one topic: `p3=10` reads partition 3 from offset 10 on."""
    return FetchRequest(500, 1, 10**6, 0, [("clicks", [(int(name[1:]), at, SIZE) for name, at in offsets.items()])])


def said(session: FetchSession, fetch: FetchRequest) -> tuple[int, int, dict[int, int], list[tuple[str, list[int]]]]:
    """What a broker is told: session and epoch, offsets by partition, what it shall forget."""
    built: Any = session.request(fetch).build(FetchRequest_v11)
    offsets = {partition[0]: partition[2] for _, some in built.topics for partition in some}
    built.encode()
    return built.session_id, built.session_epoch, offsets, built.forgotten_topics_data


def a_session_of(fetch: FetchRequest) -> FetchSession:
    """One that a broker has agreed to."""
    session = FetchSession()
    session.request(fetch)
    session.heard(ANSWER)
    return session


def test_the_first_fetch_names_all_partitions_and_asks_for_a_session():
    assert said(FetchSession(), a_fetch(p0=5, p1=6)) == (0, 0, {0: 5, 1: 6}, [])


def test_the_next_names_what_has_moved_what_is_new_and_what_is_not_wanted_any_more():
    session = a_session_of(a_fetch(p0=5, p1=6, p2=7))

    assert said(session, a_fetch(p0=5, p1=8, p3=1)) == (7, 1, {1: 8, 3: 1}, [("clicks", [2])])


def test_a_fetch_that_nothing_has_changed_for_names_no_partition():
    session = a_session_of(a_fetch(p0=5))
    session.request(a_fetch(p0=5))
    session.heard(ANSWER)

    assert said(session, a_fetch(p0=5)) == (7, 2, {}, [])


@pytest.mark.parametrize("fate", [lambda session: session.heard(REFUSAL), lambda session: session.lose()])
def test_after_a_refusal_or_no_answer_all_partitions_are_named_again(fate):
    session = a_session_of(a_fetch(p0=5, p1=6))
    session.request(a_fetch(p0=9, p1=6))
    fate(session)

    _, epoch, offsets, forgotten = said(session, a_fetch(p0=9, p1=6))
    assert (epoch, offsets, forgotten) == (0, {0: 9, 1: 6}, [])


def test_a_broker_that_gives_no_session_is_named_all_partitions_each_time():
    session = FetchSession()
    session.request(a_fetch(p0=5))
    session.heard(SimpleNamespace(error_code=0, session_id=0))

    assert said(session, a_fetch(p0=5)) == (0, 0, {0: 5}, [])


def test_a_broker_of_before_sessions_gets_the_whole_request():
    session = a_session_of(a_fetch(p0=5, p1=6))

    whole, expected = session.request(a_fetch(p0=5, p1=8)), a_fetch(p0=5, p1=8)
    assert whole.build(FetchRequest_v4) == expected.build(FetchRequest_v4)


class SlowBroker:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.may_answer = asyncio.Event()

    async def send(self, node_id: int, request: FetchRequest) -> SimpleNamespace:
        self.asked.append(request)
        await self.may_answer.wait()
        return ANSWER


async def test_a_fetch_that_is_cancelled_leaves_no_session_behind():
    broker = SlowBroker()
    client = SessionClient(cast(Any, broker))
    broker.may_answer.set()
    await client.send(0, a_fetch(p0=5, p1=6))
    broker.may_answer.clear()

    cancelled = asyncio.create_task(client.send(0, a_fetch(p0=7, p1=6)))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.wait([cancelled])
    broker.may_answer.set()
    await client.send(0, a_fetch(p0=7, p1=6))

    first, moved, again = (request.build(FetchRequest_v11) for request in broker.asked)
    assert [request.session_epoch for request in (first, moved, again)] == [0, 1, 0]
    assert [len(some) for _, some in again.topics] == [2]
