"""The list of metrics and what is scraped are the same."""

from prometheus_client.parser import text_string_to_metric_families

from stream.metrics import METRICS, Meters, Reading


def scraped(meters: Meters) -> dict[str, str]:
    """Kinds by name, counters without `_total`."""
    text, _ = meters.exposition("text/plain")
    return {family.name: family.type for family in text_string_to_metric_families(text.decode())}


def some_meters(*readings: Reading) -> Meters:
    meters = Meters()
    meters.read_from(lambda: readings)
    return meters


def test_every_metric_of_the_list_is_scraped_as_its_kind_before_it_has_a_value():
    kinds = scraped(some_meters())
    assert {m.full_name.removesuffix("_total"): m.kind for m in METRICS}.items() <= kinds.items()
    assert all(name.startswith(("interest_", "process_")) for name in kinds)


def test_only_counters_end_in_total():
    assert all(m.name.endswith("_total") == (m.kind == "counter") for m in METRICS)


def test_two_workers_in_one_process_count_apart():
    one, other = some_meters(), some_meters()
    one.checkpoint_failures.inc()
    name = "interest_checkpoint_failures_total"
    assert [meters.registry.get_sample_value(name) for meters in (one, other)] == [1, 0]


def test_a_reading_is_what_is_scraped():
    meters = some_meters(Reading("lag_records", 7, ("clicks", "3")))
    assert meters.registry.get_sample_value("interest_lag_records", {"topic": "clicks", "partition": "3"}) == 7
