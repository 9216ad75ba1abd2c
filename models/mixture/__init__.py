"""Network and memory together: what is likeliest next."""
