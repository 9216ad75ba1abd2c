"""Questions and their answers, by any weights."""
