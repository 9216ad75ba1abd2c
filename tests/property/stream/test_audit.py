"""The worker's arrays and the plain fold over the log come to the same ledger."""

from dataclasses import replace

from faust.types import TP
from hypothesis import given, settings
from hypothesis import strategies as st

from models.learner import OnlineLearner
from stream.flow.agents import decode_chunk
from stream.flow.audit import in_order_of_arrival, judge_log, ledger_of
from stream.flow.ledger import TopicLedger
from stream.records.events import Click, Event, Purchase, Search, encode_event
from stream.users.admission import REMEMBERED_IDS, Verdict
from tests.support.builders import A_POLICY, NOW_MS, TOPIC_OF_KIND, ARecord, a_click
from tests.support.small import SMALL_MODEL, SMALL_POLICY, a_small_updater

KIND_OF_TOPIC = {topic: kind for kind, topic in TOPIC_OF_KIND.items()}
LEARNER = OnlineLearner(SMALL_MODEL)  # compiled once, put back before every run
BLANK = LEARNER.state()

users = st.sampled_from(["ann", "bob"])
times = st.integers(NOW_MS - 3_000, NOW_MS + 200)  # too late, in time and too far ahead
ids = st.none() | st.sampled_from([f"e{n}" for n in range(70)])
a_topics_run = st.one_of(
    st.tuples(st.just("clicks"), st.lists(st.builds(Click, users, st.just("i1"), times, ids) | st.none(), max_size=30)),
    st.tuples(
        st.just("purchases"), st.lists(st.builds(Purchase, users, st.just("i1"), times, ids) | st.none(), max_size=30)
    ),
    st.tuples(
        st.just("searches"), st.lists(st.builds(Search, users, st.just("red"), times, ids) | st.none(), max_size=30)
    ),
)


def records_of(topic: str, events: list[Event | None], timestamp: int = NOW_MS) -> list[ARecord]:
    """Records of events; None makes a broken one."""
    encoded = [encode_event(event) if event else (b"ann", b"{") for event in events]
    return [ARecord(value, key, topic, offset=n, timestamp=timestamp) for n, (key, value) in enumerate(encoded)]


def verdicts_of(*events: Event) -> list[Verdict | None]:
    return [judged.verdict for judged in judge_log(records_of("clicks", list(events)), KIND_OF_TOPIC, A_POLICY)]


@settings(max_examples=60, deadline=None)
@given(log=st.lists(a_topics_run, max_size=8), micro_batch=st.integers(1, 4), per_minute=st.sampled_from([0, 1, 7, 60]))
def test_any_micro_batches_come_to_the_ledger_of_the_log(log, micro_batch, per_minute):
    runs = [records_of(topic, events) for topic, events in log if events]
    LEARNER.restore(BLANK)
    admission = replace(A_POLICY, max_per_minute=per_minute)
    updater = a_small_updater(learner=LEARNER, policy=replace(SMALL_POLICY, admission=admission))
    chunks = [decode_chunk(TP(r[0].topic, 0), KIND_OF_TOPIC[r[0].topic], r, A_POLICY, NOW_MS) for r in runs]
    for start in range(0, len(chunks), micro_batch):
        updater.process(chunks[start : start + micro_batch])

    judged = judge_log([record for run in runs for record in run], KIND_OF_TOPIC, admission)

    assert ledger_of(judged) == updater.ledger


def test_an_id_is_a_duplicate_while_it_is_among_the_last_64_of_its_user():
    others = [a_click(event_id=f"e{n}") for n in range(REMEMBERED_IDS)]

    assert verdicts_of(a_click(event_id="x"), *others[1:], a_click(event_id="x"))[-1] is Verdict.DUPLICATE
    assert verdicts_of(a_click(event_id="x"), *others, a_click(event_id="x"))[-1] is Verdict.ADMITTED


def test_an_event_is_late_when_it_is_one_past_the_allowed_lateness():
    newest, in_time = a_click(time_ms=NOW_MS), a_click(time_ms=NOW_MS - A_POLICY.allowed_lateness_ms)
    late = a_click(time_ms=NOW_MS - A_POLICY.allowed_lateness_ms - 1)

    assert verdicts_of(newest, in_time, late) == [Verdict.ADMITTED, Verdict.ADMITTED, Verdict.LATE]


def test_what_cannot_be_used_is_counted_as_refused_with_its_reason():
    judged = list(judge_log(records_of("clicks", [None, a_click()]), KIND_OF_TOPIC, A_POLICY))

    assert [j.reason for j in judged] == ["not_json", ""]
    assert ledger_of(judged[:1]) == {"clicks": TopicLedger(records=1, refused=1)}


def test_partitions_are_merged_by_timestamp_and_each_keeps_its_order():
    one = [ARecord(b"a", offset=0, timestamp=5), ARecord(b"b", offset=1, timestamp=3)]
    other = [ARecord(b"c", partition=1, timestamp=4)]

    assert [record.value for record in in_order_of_arrival([one, other])] == [b"c", b"a", b"b"]
