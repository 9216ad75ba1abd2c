"""The Kafka edge: reading, writing, topics and offsets."""
