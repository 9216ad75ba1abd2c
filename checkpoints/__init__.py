"""Complete, atomic checkpoints on disk."""
