"""A simulated shop, an embedded broker and a worker, to see everything at work."""
