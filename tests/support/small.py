"""A worker's parts in a size that compiles and runs in a blink."""

from models.config import ModelConfig
from models.learner import OnlineLearner
from stream.flow.record_encoder import RecordEncoder
from stream.flow.updater import Updater, UpdaterPolicy
from stream.users.admission import AdmissionPolicy
from stream.users.interests import EmissionPolicy

SMALL_MODEL = ModelConfig(
    dim=8,
    encoder_window=4,
    max_items=64,
    num_fallback_items=2,
    max_queries=16,
    num_query_tokens=32,
    batch_size=16,
    num_negatives=8,
    replay_capacity=128,
    memory_slots=4,
    score_sample_ratio=1.0,
)

SMALL_POLICY = UpdaterPolicy(
    window_size=6,
    encoder_window=4,
    max_users=100,
    max_erasures=10,
    admission=AdmissionPolicy(allowed_lateness_ms=1_000, max_future_ms=1_000),
    emission=EmissionPolicy(long_term_ms=1_000, min_distance=0.0),
)


def a_small_updater(
    first_version: int = 0, policy: UpdaterPolicy = SMALL_POLICY, learner: OnlineLearner | None = None
) -> Updater:
    return Updater(policy, learner or OnlineLearner(SMALL_MODEL), RecordEncoder("json"), first_version)
