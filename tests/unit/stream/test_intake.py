import asyncio

from faust.types import TP

from stream.broker.positions import Positions
from stream.flow.intake import Intake
from tests.support.builders import a_chunk, a_click, a_search

CLICKS, SEARCHES = TP("clicks", 0), TP("searches", 0)


def an_intake(max_records: int = 10) -> tuple[Intake, Positions]:
    positions = Positions()
    positions.start_at({CLICKS: 0, SEARCHES: 0})
    return Intake(max_records, positions), positions


async def test_chunks_leave_in_the_order_they_came():
    intake, _ = an_intake()
    first, second = a_chunk([a_click()]), a_chunk([a_search()])
    await intake.put(first)
    await intake.put(second)

    assert intake.take(10) == [first, second]


async def test_take_leaves_what_does_not_fit_but_takes_one_chunk_at_least():
    intake, _ = an_intake()
    await intake.put(a_chunk([a_click()] * 3))
    await intake.put(a_chunk([a_click()] * 2, first_offset=3))

    assert [chunk.num_records for chunk in intake.take(4)] == [3]
    assert [chunk.num_records for chunk in intake.take(1)] == [2]


async def test_put_waits_while_the_intake_is_full():
    intake, _ = an_intake(max_records=2)
    await intake.put(a_chunk([a_click()] * 2))
    waiting = asyncio.create_task(intake.put(a_chunk([a_click()], first_offset=2)))
    await asyncio.sleep(0)
    assert not waiting.done()

    intake.take(10)

    assert await waiting
    assert intake.num_records == 1


async def test_a_chunk_that_waited_through_a_rebalance_is_not_queued():
    intake, positions = an_intake(max_records=1)
    await intake.put(a_chunk([a_click()]))
    waiting = asyncio.create_task(intake.put(a_chunk([a_click()], first_offset=1)))
    await asyncio.sleep(0)

    intake.drop({CLICKS})

    assert not await waiting
    assert positions.seek_offsets()[CLICKS] == 0


async def test_dropped_partitions_leave_the_others_queued():
    intake, positions = an_intake()
    await intake.put(a_chunk([a_click()]))
    await intake.put(a_chunk([a_search()]))

    intake.drop({CLICKS})

    assert [chunk.tp for chunk in intake.take(10)] == [SEARCHES]
    assert positions.seek_offsets() == {CLICKS: 0, SEARCHES: 1}


async def test_wait_ends_when_a_chunk_comes():
    intake, _ = an_intake()
    waiting = asyncio.create_task(intake.wait(60))
    await asyncio.sleep(0)

    await intake.put(a_chunk([a_click()]))

    await asyncio.wait_for(waiting, 1)
