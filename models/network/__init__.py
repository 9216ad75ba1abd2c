"""The network: from windows to interests, the vectors of items, and how both learn."""
