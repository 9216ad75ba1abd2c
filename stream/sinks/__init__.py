"""The newest of every user and item in another store, for those who serve from it. The worker knows nothing of this."""
