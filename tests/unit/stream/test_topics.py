"""How topics must be, and what is said when they are not."""

from dataclasses import replace

from stream.broker.topics import Topic, TopicNames, faults, wanted_topics
from stream.settings import Settings

SETTINGS = Settings(partitions=4, replication_factor=2, topic_prefix="t.")


def found(**changed: Topic) -> dict[str, Topic]:
    """Topics exactly as wanted, but for some."""
    return {topic.name: topic for topic in wanted_topics(SETTINGS)} | {t.name: t for t in changed.values()}


def wanted(name: str) -> Topic:
    return next(topic for topic in wanted_topics(SETTINGS) if topic.name == name)


def test_topics_as_wanted_have_no_faults():
    assert faults(wanted_topics(SETTINGS), found()) == []


def test_names_follow_prefix_and_settings_alike():
    assert TopicNames.of(SETTINGS) == TopicNames.default("t.")
    assert TopicNames.default().inputs == ("clicks", "purchases", "searches")


def test_inputs_carry_the_brokers_time_and_outputs_are_compacted():
    assert wanted("t.clicks").config == {"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime"}
    assert wanted("t.interest-updates").config == wanted("t.item-vectors").config == {"cleanup.policy": "compact"}


def test_dead_letters_have_one_partition_and_are_kept_for_14_days():
    dead_letters = wanted("t.interest-dead-letters")
    assert dead_letters.partitions == 1
    assert dead_letters.config["retention.ms"] == str(14 * 24 * 3600 * 1000)


def test_missing_topics_are_named_together():
    some = {name: topic for name, topic in found().items() if name not in ("t.clicks", "t.searches")}
    (sentence,) = faults(wanted_topics(SETTINGS), some)
    assert sentence == "missing topics: t.clicks, t.searches; `interest-stream topics create` makes them"


def test_unequal_partition_counts_are_one_sentence():
    (sentence,) = faults(wanted_topics(SETTINGS), found(a=replace(wanted("t.purchases"), partitions=2)))
    assert "t.purchases has 2" in sentence
    assert "t.clicks has 4" in sentence
    assert "--partitions 4" in sentence


def test_equal_counts_other_than_the_setting_ask_for_the_setting():
    six = {topic.name: replace(topic, partitions=6) for topic in wanted_topics(SETTINGS) if topic.partitions == 4}
    (sentence,) = faults(wanted_topics(SETTINGS), found(**six))
    assert sentence.endswith("set partitions=6")


def test_too_few_replicas_are_a_fault_and_more_are_not():
    fewer, more = replace(wanted("t.clicks"), replicas=1), replace(wanted("t.searches"), replicas=3)
    (sentence,) = faults(wanted_topics(SETTINGS), found(a=fewer, b=more))
    assert "t.clicks has 1" in sentence
    assert "t.searches" not in sentence


def test_wrong_cleanup_policy_says_how_to_change_it():
    wrong = replace(wanted("t.interest-updates"), config={"cleanup.policy": "delete"})
    (sentence,) = faults(wanted_topics(SETTINGS), found(a=wrong))
    assert "cleanup.policy='delete', expected 'compact'" in sentence
    assert "--add-config cleanup.policy=compact" in sentence
