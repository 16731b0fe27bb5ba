"""Listwise loss: the rows of one search compete for its clicks."""

from __future__ import annotations

import torch


def listwise_loss(logits: torch.Tensor, labels: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """Scalar: mean over the batch's groups with a label of 1, and over tasks, of the softmax cross-entropy inside.

    Cao et al., "Learning to Rank: From Pairwise Approach to Listwise Approach", ICML 2007 (top one), with the labels of
    a group, divided by their sum, as the distribution to be met. `logits` and `labels` float (n, tasks), `groups`
    int64 (n,). A group of which a batch holds a part is a shorter list; without any label of 1 the loss is 0.
    """
    _, group = torch.unique(groups, return_inverse=True)
    number = int(group.max()) + 1
    index = group[:, None].expand_as(logits)
    zeros = logits.new_zeros(number, logits.shape[1])
    highest = torch.full_like(zeros, -torch.inf).scatter_reduce(0, index, logits.detach(), "amax")
    total = zeros.scatter_add(0, index, (logits - highest[group]).exp())
    log_share = logits - highest[group] - total.log()[group]
    positives = zeros.scatter_add(0, index, labels)
    losses = -zeros.scatter_add(0, index, labels * log_share) / positives.clamp_min(1.0)
    return losses.sum() / (positives > 0).sum().clamp_min(1)
