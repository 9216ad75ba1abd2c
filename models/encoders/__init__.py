"""Encoders from a window to a context, one a file."""
