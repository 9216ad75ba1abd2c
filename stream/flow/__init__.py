"""From a partition's records to updates, examples and checkpoints."""
