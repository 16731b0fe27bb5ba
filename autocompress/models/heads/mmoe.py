"""MMoE (Ma et al., KDD 2018): experts that all tasks share, mixed by a gate of each task's own."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field as Limits
from torch import nn

from autocompress.models.heads.head import inherit_linear, inherit_rest
from autocompress.models.heads.shared_bottom import Width, task_tower
from autocompress.models.tower import tower
from autocompress.schema import Frozen, Task


class Mmoe(Frozen):
    """`experts` towers of the widths `expert`, a softmax gate and a tower of the widths `towers` for each task."""

    kind: Literal["mmoe"] = "mmoe"
    experts: int = Limits(8, ge=1, le=64)
    expert: tuple[Width, ...] = Limits((16,), min_length=1)
    towers: tuple[Width, ...] = (8,)

    def module(self, width: int, tasks: tuple[Task, ...]) -> nn.Module:
        """Experts, gates, task towers."""
        return MixtureOfExperts(width, self, len(tasks))


class MixtureOfExperts(nn.Module):
    """float32 (n, width) -> logits (n, tasks)."""

    def __init__(self, width: int, config: Mmoe, tasks: int) -> None:
        super().__init__()
        self.experts = nn.ModuleList(tower(width, config.expert, 0.0) for _ in range(config.experts))
        self.gates = nn.ModuleList(nn.Linear(width, config.experts, bias=False) for _ in range(tasks))
        self.tasks = nn.ModuleList(task_tower(config.expert[-1], config.towers) for _ in range(tasks))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """One column per task."""
        experts = [expert(features) for expert in self.experts]
        logits = [task(mix(gate(features), experts)) for gate, task in zip(self.gates, self.tasks, strict=True)]
        return torch.cat(logits, dim=1)

    def inherit(self, old: nn.Module, columns: list[int]) -> None:
        """First layers by column, the rest as it is."""
        assert isinstance(old, MixtureOfExperts)
        firsts = tuple(f"experts.{index}.0." for index in range(len(self.experts)))
        for first in firsts:
            inherit_linear(old.get_submodule(first[:-1]), self.get_submodule(first[:-1]), columns)
        for source, target in zip(old.gates, self.gates, strict=True):
            inherit_gate(source, target, columns)
        inherit_rest(old, self, (*firsts, "gates."))


def mix(gate: torch.Tensor, experts: list[torch.Tensor]) -> torch.Tensor:
    """Experts (n, width) each, weighted by the softmax of `gate` (n, experts)."""
    weights = torch.softmax(gate, dim=1)
    mixed = weights[:, :1] * experts[0]
    for index, expert in enumerate(experts[1:], start=1):
        mixed = torch.addcmul(mixed, weights[:, index : index + 1], expert)
    return mixed


def inherit_gate(old: nn.Module, new: nn.Module, columns: list[int]) -> None:
    """Copies a gate's weights of some input columns."""
    assert isinstance(old, nn.Linear)
    assert isinstance(new, nn.Linear)
    new.weight.copy_(old.weight[:, columns])
