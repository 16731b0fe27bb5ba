"""Listwise loss: the rows of one search compete for its clicks."""

from __future__ import annotations

import torch


def listwise_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    groups: torch.Tensor,
    teacher: torch.Tensor | None = None,
    share: float = 0.0,
    temperature: float = 1.0,
) -> torch.Tensor:
    """Scalar: mean over the batch's groups with a label of 1, and over tasks, of the softmax cross-entropy inside.

    Cao et al., "Learning to Rank: From Pairwise Approach to Listwise Approach", ICML 2007 (top one), with the labels of
    a group, divided by their sum, as the distribution to be met. `logits` and `labels` float (n, tasks), `groups`
    int64 (n,). A group of which a batch holds a part is a shorter list; without any label of 1 the loss is 0. The
    `share` of the labels' place is taken by the softmax of the `teacher`'s logits (n, tasks) at `temperature`, whose
    square it is multiplied by.
    """
    _, group = torch.unique(groups, return_inverse=True)
    number = int(group.max()) + 1
    index = group[:, None].expand_as(logits)
    positives = logits.new_zeros(number, logits.shape[1]).scatter_add(0, index, labels)
    asked = positives > 0
    hard = _entropy(labels / positives.clamp_min(1.0)[group], logits, group, number, asked)
    if teacher is None or share == 0.0:
        return hard
    wanted = _log_shares(teacher / temperature, group, number).exp()
    soft = temperature**2 * _entropy(wanted, logits / temperature, group, number, asked)
    return (1.0 - share) * hard + share * soft


def _entropy(
    wanted: torch.Tensor, logits: torch.Tensor, group: torch.Tensor, number: int, asked: torch.Tensor
) -> torch.Tensor:
    """Mean over groups and tasks that are `asked` (groups, tasks) of the cross-entropy to `wanted` (n, tasks)."""
    index = group[:, None].expand_as(logits)
    each = wanted * _log_shares(logits, group, number)
    losses = -logits.new_zeros(number, logits.shape[1]).scatter_add(0, index, each)
    return torch.where(asked, losses, 0.0).sum() / asked.sum().clamp_min(1)


def _log_shares(logits: torch.Tensor, group: torch.Tensor, number: int) -> torch.Tensor:
    """Log of the softmax inside each group, (n, tasks)."""
    index = group[:, None].expand_as(logits)
    zeros = logits.new_zeros(number, logits.shape[1])
    highest = torch.full_like(zeros, -torch.inf).scatter_reduce(0, index, logits.detach(), "amax")
    total = zeros.scatter_add(0, index, (logits - highest[group]).exp())
    return logits - highest[group] - total.log()[group]
