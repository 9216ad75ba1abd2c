"""The counting memory: what follows and precedes what, what is popular, what repeats."""
