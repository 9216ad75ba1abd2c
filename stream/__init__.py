"""The Kafka side: events in, interest updates out. Composes `models` and `checkpoints`, which know nothing of it."""
