"""A peer: deep-river's LSTM, which predicts and then learns each event of one user, as its authors have it.

.peers/learning/bin/python tests/benchmark/peers/deep_river_lstm.py FILE

FILE holds `items` `[events]` int64 and `vectors` `[items, features]` float32, what an item looks like. Prints events a
second of the processor, one thread.
"""

import sys
import time
from itertools import pairwise

import numpy as np
import torch
from deep_river.classification.zoo import LSTMClassifier

WARM_UP = 50  # events


def rate_of(items: np.ndarray, vectors: np.ndarray, window: int) -> float:
    """Events a second of `predict_one` and `learn_one`."""
    features = [{str(n): float(value) for n, value in enumerate(vector)} for vector in vectors]
    model = LSTMClassifier(
        n_features=vectors.shape[1],
        hidden_size=vectors.shape[1],
        n_init_classes=len(vectors),
        window_size=window,
        is_class_incremental=False,
        optimizer_fn="adam",
    )
    for at, (before, item) in enumerate(pairwise(items)):
        if at == WARM_UP:
            began_s = time.process_time()
        model.predict_one(features[before])
        model.learn_one(features[before], int(item))
    return (len(items) - 1 - WARM_UP) / (time.process_time() - began_s)


if __name__ == "__main__":
    torch.set_num_threads(1)
    given = np.load(sys.argv[1])
    print(rate_of(given["items"], given["vectors"], int(given["window"])))
