"""Events as other systems write them, and the way from their topic to ours. The worker knows nothing of this."""
