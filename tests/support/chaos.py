"""How long and from which seed chaos tests run; a seed that is printed repeats a run's choices."""

import os
import random

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "1"))  # 10 is the long form
SEED = int(os.environ.get("CHAOS_SEED", random.randrange(10_000)))


def chance_of(test: str) -> random.Random:
    """The random choices of one test; says how to repeat them."""
    print(f"{test}: CHAOS_SEED={SEED} CHAOS_ROUNDS={ROUNDS} repeats this run")
    return random.Random(f"{SEED} {test}")
