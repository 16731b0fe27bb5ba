"""Shared bottom (Caruana, Machine Learning 1997): every task reads the same features."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field as Limits
from torch import nn

from autocompress.models.heads.head import inherit_linear, inherit_rest
from autocompress.models.tower import tower
from autocompress.schema import Frozen, Task

Width = Annotated[int, Limits(ge=1, le=65_536)]


class SharedBottom(Frozen):
    """`towers` are the widths of a tower of each task's own; without any, the head is one linear layer."""

    kind: Literal["shared_bottom"] = "shared_bottom"
    towers: tuple[Width, ...] = ()

    def module(self, width: int, tasks: tuple[Task, ...]) -> nn.Module:
        """One linear layer, or `TaskTowers`."""
        return TaskTowers(width, self.towers, len(tasks)) if self.towers else nn.Linear(width, len(tasks))


class TaskTowers(nn.Module):
    """float32 (n, width) -> logits (n, tasks), a tower for each."""

    def __init__(self, width: int, widths: tuple[int, ...], tasks: int) -> None:
        super().__init__()
        self.tasks = nn.ModuleList(task_tower(width, widths) for _ in range(tasks))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """One column per task."""
        return torch.cat([task(features) for task in self.tasks], dim=1)

    def inherit(self, old: nn.Module, columns: list[int]) -> None:
        """First layers by column, the rest as it is."""
        assert isinstance(old, TaskTowers)
        firsts = tuple(f"tasks.{index}.hidden.0." for index in range(len(self.tasks)))
        for first in firsts:
            inherit_linear(old.get_submodule(first[:-1]), self.get_submodule(first[:-1]), columns)
        inherit_rest(old, self, firsts)


def task_tower(width: int, widths: tuple[int, ...]) -> nn.Sequential:
    """float32 (n, width) -> one logit (n, 1)."""
    task = nn.Sequential()
    if widths:
        task.add_module("hidden", tower(width, widths, 0.0))
    task.add_module("logit", nn.Linear(widths[-1] if widths else width, 1))
    return task
