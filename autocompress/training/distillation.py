"""Losses that a teacher's outputs and features put on a student's. All are means over a batch; 0 where both agree."""

from __future__ import annotations

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, log_softmax, normalize, smooth_l1_loss

PAIRS_AMONG, TOLD_AMONG = 256, 512
"""Rows of a batch whose pairs relational and contrastive distillation look at: all would cost more than the model."""
CONTRAST = 0.1
"""Temperature of contrastive distillation."""


def softened_binary(
    logits: torch.Tensor, teacher: torch.Tensor, temperature: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """(tasks,): T^2 times the cross-entropy of sigmoids at each task's temperature (Hinton et al., arXiv:1503.02531).

    `logits` and `teacher` (n, tasks), `temperature` (tasks,) > 0, `weights` (n,). T^2 keeps the gradient's size when
    the temperature changes. Its least value is the teacher's entropy, not 0; its gradient is 0 there.
    """
    each: float | torch.Tensor = 1.0
    if weights is not None:
        # rows behind those that are weighed count once
        each = torch.cat([weights, weights.new_ones(len(logits) - len(weights))])[:, None]
    target = torch.sigmoid(teacher / temperature)
    losses = binary_cross_entropy_with_logits(logits / temperature, target, reduction="none")
    return temperature.square() * (each * losses).mean(0)


def softened_softmax(logits: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """Scalar: T^2 times the cross-entropy between rows' softmax distributions (n, m); -inf marks what is no choice."""
    target = torch.softmax(teacher / temperature, dim=1)
    shares = log_softmax(logits / temperature, dim=1)
    # a choice that neither has is -inf on both sides, and 0 x -inf would be nan
    return -(temperature**2) * torch.where(target > 0, target * shares, 0.0).sum(dim=1).mean()


def hint(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Scalar: mean squared distance of projected features (n, k), in units of the teacher's own mean square.

    Romero et al., "FitNets", ICLR 2015.
    """
    return (student - teacher).square().mean() / teacher.square().mean().clamp_min(1e-12)


def relational(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Scalar: how far distances between rows differ, each side in units of its mean distance; widths may differ.

    Park et al., "Relational Knowledge Distillation", CVPR 2019 (distance-wise).
    """
    mine, theirs = (_distances(features[:PAIRS_AMONG]) for features in (student, teacher))
    return smooth_l1_loss(mine, theirs)


def contrastive(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Scalar: cross-entropy of finding each row's own teacher features among those of the batch, by cosine.

    After Tian et al., "Contrastive Representation Distillation", ICLR 2020, with `TOLD_AMONG` rows of the batch as
    negatives; what the teacher's features cannot tell apart either is taken off: the target is their own similarity.
    """
    mine, theirs = (normalize(features[:TOLD_AMONG], dim=1) for features in (student, teacher))
    found, wanted = mine @ theirs.T / CONTRAST, theirs @ theirs.T / CONTRAST
    return cross_entropy(found, torch.softmax(wanted, dim=1))


def _distances(features: torch.Tensor) -> torch.Tensor:
    """Distances of all pairs of rows (n, n) over their mean; a step of 1e-12 keeps the root's gradient finite."""
    squares = features.square().sum(1)
    found = (squares[:, None] + squares[None, :] - 2 * features @ features.T).clamp_min(0.0).add(1e-12).sqrt()
    away = ~torch.eye(len(features), dtype=torch.bool, device=features.device)
    return found[away] / found[away].mean().clamp_min(1e-12)
