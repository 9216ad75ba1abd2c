"""Items and queries by id: slots, and the hash table that finds them."""
