"""The loss of an `Objective`: labels, and the teacher's logits softened by a temperature."""

from __future__ import annotations

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from autocompress.compress.plan import Objective


def loss(logits: torch.Tensor, labels: torch.Tensor, soft: torch.Tensor | None, objective: Objective) -> torch.Tensor:
    """Scalar: sum over tasks of the batch mean. All inputs float32 (n, tasks); `soft` are the teacher's logits.

    With `soft` None only labels count, whatever the objective says. The factor T^2 keeps the gradient's size when the
    temperature changes (Hinton et al., arXiv:1503.02531).
    """
    hard = binary_cross_entropy_with_logits(logits, labels, reduction="none").sum(1).mean()
    weight, temperature = objective.distillation_weight, objective.temperature
    if soft is None or weight == 0.0:
        return hard
    target = torch.sigmoid(soft / temperature)
    softened = binary_cross_entropy_with_logits(logits / temperature, target, reduction="none").sum(1).mean()
    return (1.0 - weight) * hard + weight * temperature**2 * softened
