"""What the model reads and learns from: windows and examples as arrays, and batches of them."""
