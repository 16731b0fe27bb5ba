"""In-batch negatives: the items of the other pairs of a batch, their popularity taken out again."""

from __future__ import annotations

import torch


def in_batch_logits(scores: torch.Tensor, items: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    """Logits (n, n) whose row i is a softmax over the batch's items with item i as its target.

    `scores` float (n, n): of user i with the item of pair j; `items` int64 (n,); `log_q` float (number of items,): log
    of the probability of each item to stand in a batch. An item that is drawn in proportion to its popularity is a
    negative as often as it is popular; taking log q away makes the scores those of a softmax over all items (Yi et al.,
    "Sampling-Bias-Corrected Neural Modeling", RecSys 2019). Where another pair has row i's item, it is masked (-inf):
    it is no negative.
    """
    again = (items[:, None] == items[None, :]) & ~torch.eye(len(items), dtype=torch.bool, device=items.device)
    return (scores - log_q[items][None, :]).masked_fill(again, float("-inf"))
