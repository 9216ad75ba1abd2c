"""How well was predicted, how sure that is, and whether it has got worse."""
