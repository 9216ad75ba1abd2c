from stream.web.history import KEPT, Alarm, History, Sample


def samples(count: int) -> list[Sample]:
    return [Sample(at_ms, "running") for at_ms in range(count)]


def test_the_newest_samples_are_all_there():
    history = History()

    for sample in samples(5 * KEPT):
        history.add(sample)

    assert [sample.at_ms for sample in history][-KEPT:] == list(range(4 * KEPT, 5 * KEPT))


def test_older_samples_are_one_in_ten_and_all_in_order():
    history = History()

    for sample in samples(3 * KEPT):
        history.add(sample)

    times = [sample.at_ms for sample in history]
    assert times == sorted(times)
    assert len(times) == KEPT + 2 * KEPT // 10
    assert times[0] < 10


def test_memory_is_bounded_however_long_it_runs():
    history = History(kept=5)

    for sample in samples(20_000):
        history.add(sample)

    assert len(history) == 15


def test_a_sample_with_an_alarm_is_not_thinned_out():
    history = History(kept=20)

    history.add(Sample(0, "running", alarms=[Alarm(0, "recall fell")]))
    for sample in samples(500):
        history.add(sample)

    assert [sample.alarms[0].what for sample in history if sample.alarms] == ["recall fell"]
