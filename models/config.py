"""The settings of the model: plain frozen values, checked once. Knows neither Kafka nor jax."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelConfig:
    """Everything that decides what the model is and how it learns.

    Two models with equal configs, fed the same events in the same order, have equal parameters, bit for bit on CPU.
    """

    encoder: str = "gru"
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
    max_queries: int = 65_536
    tokens_per_query: int = 6
    num_query_tokens: int = 8_192
    """Rows of the hashed query-token embedding."""
    batch_size: int = 256
    """Events of one learning step; fixed, so that load never changes the learning rate per event."""
    num_negatives: int = 256
    num_soft_targets: int = 4
    """Further positives of each example, sampled from what the counting memory expects after its window."""
    soft_target_weight: float = 0.3
    """Their share of an example's loss, where the memory expects anything."""
    replay_ratio: int = 4
    """Replayed examples for every new one while there is time."""
    replay_capacity: int = 200_000
    learning_rate: float = 2e-3
    row_learning_rate: float = 5e-3
    """Learning rate of embedding rows, which are touched rarely."""
    dropout: float = 0.2
    score_scale: float = 12.0
    """Initial factor from cosine to logit; learned afterwards."""
    purchase_weight: float = 1.0
    """Weight of a purchase in the loss; a click weighs 1."""
    memory_slots: int = 96
    """Successors and predecessors kept for each item."""
    memory_half_life: int = 100_000
    """Events after which a co-visit counts half."""
    score_sample_ratio: float = 0.05
    """Share of the events that is ranked against the whole catalogue before it is learned."""
    seed: int = 0
