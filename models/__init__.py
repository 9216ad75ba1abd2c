"""The online learner: numpy in, numpy out; jax stays inside."""
