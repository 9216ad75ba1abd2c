"""The settings of the model: plain frozen values, checked once. Knows neither Kafka nor jax."""

from dataclasses import dataclass
from typing import Literal

EncoderName = Literal["gru", "lstm", "linear", "convolution", "average"]
HeadName = Literal["point", "variational"]
LossName = Literal["sampled_softmax", "full_softmax", "binary_cross_entropy", "squared_error"]
OptimiserName = Literal["adam", "adamw", "adagrad", "sgd"]
ScheduleName = Literal["constant", "warmup", "cosine", "inverse_sqrt"]

FULL_SOFTMAX_MOST_ITEMS = 20_000  # its logits alone are 20 MB a step of 256; beyond, sample


@dataclass(frozen=True)
class ModelConfig:
    """Everything that decides what the model is and how it learns.

    Two models with equal configs, fed the same events in the same order, have equal parameters, bit for bit on CPU.
    """

    encoder: EncoderName = "linear"
    head: HeadName = "point"
    """What the encoder's context becomes: an interest, or the mean and variance of one."""
    variational_weight: float = 1e-3
    """Weight of the variational head's divergence from its prior in the loss."""
    dim: int = 64
    """Length of interest and item vectors."""
    encoder_window: int = 12
    """Newest window positions that the encoder reads."""
    max_items: int = 100_000
    """Item slots; when all are taken, the items not seen for longest leave."""
    num_fallback_items: int = 64
    """Rows shared, by hash, by items that are not admitted (yet)."""
    item_admission_count: int = 1
    """Occurrences after which an item gets a slot of its own."""
    item_expiry_events: int = 0
    """Clicks and purchases after which an item that is not among them leaves; 0 keeps it while there is room."""
    max_queries: int = 65_536
    tokens_per_query: int = 6
    num_query_tokens: int = 8_192
    """Rows of the hashed query-token embedding."""
    batch_size: int = 256
    """Events of one learning step; fixed, so that load never changes the learning rate per event."""
    num_negatives: int = 512
    num_soft_targets: int = 4
    """Further positives of each example, sampled from what the counting memory expects after its window."""
    soft_target_weight: float = 0.3
    """Their share of an example's loss, where the memory expects anything."""
    replay_ratio: int = 4
    """Replayed examples for every new one while there is time."""
    replay_capacity: int = 200_000
    loss: LossName = "sampled_softmax"
    optimiser: OptimiserName = "adam"
    schedule: ScheduleName = "constant"
    """How the learning rates run over the steps."""
    schedule_steps: int = 10_000
    """Steps of the warm-up, between two restarts of the cosine, or before the inverse square root falls."""
    learning_rate: float = 1e-3
    row_learning_rate: float = 1e-2
    """Learning rate of embedding rows, which are touched rarely."""
    weight_decay: float = 1e-2
    """Of AdamW, times the learning rate."""
    l1: float = 0.0
    l2: float = 0.0
    dropout: float = 0.2
    crop: float = 0.0
    """Share of replayed windows that lose some of their oldest positions; for the next three see `augmentation`."""
    mask: float = 0.0
    reorder: float = 0.0
    substitute: float = 0.0
    score_scale: float = 12.0
    """Initial factor from cosine to logit; learned afterwards."""
    purchase_weight: float = 1.0
    """Weight of a purchase in the loss; a click weighs 1."""
    credit_clicks: bool = False
    """Replay the click that a purchase followed as a purchase: what led to it then weighs as much."""
    memory_slots: int = 96
    """Successors and predecessors kept for each item."""
    memory_half_life: int = 100_000
    """Events after which a co-visit counts half."""
    drift_threshold: float = 10.0
    """Standard deviations by which the prequential loss must exceed its mean in sum, for an alarm; 0 raises none."""
    drift_rate_factor: float = 1.0
    """What learning rates are multiplied by after an alarm, at first."""
    drift_recent_share: float = 0.5
    """Share of replayed examples drawn from those since the alarm, for a while."""
    drift_reaction_events: int = 20_000
    """Events learned after an alarm until rates and replay are as before."""
    overload_learn_ratio: float = 1.0
    """Share of the batches that the network learns while the learner is behind; the memory learns all of them."""
    score_sample_ratio: float = 0.1
    """Share of the events that is ranked against the whole catalogue before it is learned."""
    num_devices: int = 1
    """Devices of this host that table and batch are divided over; with several, results differ by rounding."""
    seed: int = 0
