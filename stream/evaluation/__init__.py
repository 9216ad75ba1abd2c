"""How well the worker's model predicts past events: without Kafka, else as the worker does it."""
