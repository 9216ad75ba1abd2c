"""The worker's HTTP server: health, metrics, answers and the live page."""
