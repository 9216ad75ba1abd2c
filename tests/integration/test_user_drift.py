"""The drift in updates is right about users who turn to something else; no broker, but much is learned."""

from stream.demo.simulator import ShopConfig
from stream.settings import Settings
from tests.benchmark.user_drift import Plan, auc_of_drift


def test_drift_is_higher_for_users_who_have_just_turned_to_another_category():
    shop = ShopConfig(num_users=20, open_sessions=10, sessions_per_drift=12, drift_ratio=0.7, items_per_category=10)
    settings = Settings.load(dim=32, max_items=1_000, max_queries=200, learn_batch_size=128, replay_ratio=2)
    auc = auc_of_drift(settings, Plan(shop, events=8_192, every_ms=1_000_000))
    assert auc > 0.7  # 0.80 measured; 0.5 is chance
