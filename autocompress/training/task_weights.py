"""How much each task counts in the loss: fixed weights, or weights that are learnt with the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import nn

from autocompress.errors import not_allowed

TaskWeights = Mapping[str, float] | Literal["uncertainty"]


def fixed(weights: Mapping[str, float], tasks: Sequence[str]) -> torch.Tensor:
    """float32 (tasks,): 1 for a task that is not named. `UserError` names one that is no task."""
    for name in weights:
        if name not in tasks:
            raise not_allowed(f"task_weights.{name}: no task", name, tasks)
    return torch.tensor([float(weights.get(name, 1.0)) for name in tasks])


class Uncertainty(nn.Module):
    """Weighs task losses by learnt uncertainties: sum of exp(-s) loss + s / 2, with s the log variance of a task.

    Kendall, Gal and Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses", CVPR 2018.
    """

    def __init__(self, tasks: int) -> None:
        super().__init__()
        self.log_variance = nn.Parameter(torch.zeros(tasks))

    def forward(self, losses: torch.Tensor) -> torch.Tensor:
        """(tasks,) -> scalar."""
        return (torch.exp(-self.log_variance) * losses + self.log_variance / 2).sum()
