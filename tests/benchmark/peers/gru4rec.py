"""A peer: GRU4Rec's recipe in PyTorch, as small as it gets (Hidasi et al. 2016; Hidasi and Karatzoglou 2018).

.peers/learning/bin/python tests/benchmark/peers/gru4rec.py FILE

Sessions side by side, one event of each a step; a GRU of 100 units whose state goes on from step to step; one table of
items for input and output; cross-entropy against the other targets of the step and 2,048 shared samples; Adagrad that
moves only touched rows. FILE holds `sessions` `[batch, events]` int64 and `num_items`. Prints events a second of the
processor, one thread.
"""

import sys
import time

import numpy as np
import torch
from torch import nn

UNITS, SAMPLES, LEARNING_RATE = 100, 2_048, 0.05
WARM_UP = 20  # steps


class Gru4Rec(nn.Module):  # type: ignore[misc, unused-ignore]
    """Scores of candidates after one more item of each session."""

    def __init__(self, num_items: int) -> None:
        super().__init__()
        self.items = nn.Embedding(num_items, UNITS, sparse=True)
        self.biases = nn.Embedding(num_items, 1, sparse=True)
        self.cell = nn.GRUCell(UNITS, UNITS)

    def forward(
        self, items: torch.Tensor, state: torch.Tensor, candidates: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        after = self.cell(self.items(items), state)
        return after @ self.items(candidates).T + self.biases(candidates).T, after


def rate_of(sessions: torch.Tensor, num_items: int) -> float:
    """Events a second of learning steps."""
    batch = sessions.shape[0]
    model, wanted = Gru4Rec(num_items), torch.arange(batch)
    optimiser = torch.optim.Adagrad(model.parameters(), LEARNING_RATE)
    state = torch.zeros(batch, UNITS)
    steps = list(zip(sessions.T, sessions.T[1:], strict=False))
    for at, (before, after) in enumerate(steps):
        if at == WARM_UP:
            began_s = time.process_time()
        candidates = torch.cat([after, torch.randint(num_items, (SAMPLES,))])
        scores, state = model(before, state.detach(), candidates)
        optimiser.zero_grad()
        nn.functional.cross_entropy(scores, wanted).backward()
        optimiser.step()
    return batch * (len(steps) - WARM_UP) / (time.process_time() - began_s)


if __name__ == "__main__":
    torch.set_num_threads(1)
    given = np.load(sys.argv[1])
    print(rate_of(torch.from_numpy(given["sessions"]), int(given["num_items"])))
