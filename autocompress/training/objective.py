"""The losses of an `Objective`, task by task: labels, and the teacher's logits softened by a temperature."""

from __future__ import annotations

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from autocompress.compress.plan import Objective


def task_losses(
    logits: torch.Tensor,
    labels: torch.Tensor,
    soft: torch.Tensor | None,
    objective: Objective,
    weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """(tasks,): the batch mean of each task. Inputs float32 (n, tasks); `soft` are the teacher's logits.

    `weights` (n,) count a row more or less than once: the mean is of weight times loss, not divided by their sum, so
    that weights of mean 1 leave the size of a step as it is.

    With `soft` None only labels count, whatever the objective says. The factor T^2 keeps the gradient's size when the
    temperature changes (Hinton et al., arXiv:1503.02531).
    """
    each = 1.0 if weights is None else weights[:, None]
    hard = (each * binary_cross_entropy_with_logits(logits, labels, reduction="none")).mean(0)
    weight, temperature = objective.distillation_weight, objective.temperature
    if soft is None or weight == 0.0:
        return hard
    target = torch.sigmoid(soft / temperature)
    softened = binary_cross_entropy_with_logits(logits / temperature, target, reduction="none")
    softened = (each * softened).mean(0)
    return (1.0 - weight) * hard + weight * temperature**2 * softened
