"""ESMM (Ma et al., SIGIR 2018): a task with a parent is the parent times what follows from it, over all rows."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn
from torch.nn.functional import logsigmoid

from autocompress.errors import UserError
from autocompress.models.heads.head import inherit_linear
from autocompress.models.heads.shared_bottom import SharedBottom, TaskTowers, Width
from autocompress.schema import Frozen, Task

LEAST = 1e-7
"""Distance that a probability keeps from 0 and 1: float32 has no finite logit beyond."""


class Esmm(Frozen):
    """`towers` as in `shared_bottom`. `UserError` where no task has a parent: there is no funnel then."""

    kind: Literal["esmm"] = "esmm"
    towers: tuple[Width, ...] = ()

    def module(self, width: int, tasks: tuple[Task, ...]) -> nn.Module:
        """Conditional logits, multiplied along the funnel."""
        if not any(task.parent for task in tasks):
            raise UserError("head esmm: no task has a parent; name one with data.parents={buy: click}")
        return Funnel(SharedBottom(towers=self.towers).module(width, tasks), tasks)


class Funnel(nn.Module):
    """float32 (n, width) -> logits (n, tasks) of p(task) = p(parent) p(task | parent).

    Trained on every row: rows without a click teach the conversion too, so there is no selection by clicks.
    """

    def __init__(self, conditional: nn.Module, tasks: tuple[Task, ...]) -> None:
        super().__init__()
        if isinstance(conditional, nn.Linear):
            self.logit = conditional
        else:
            self.towers = conditional
        names = [task.name for task in tasks]
        self.parents = [None if task.parent is None else names.index(task.parent) for task in tasks]

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """One column per task."""
        conditional = self._conditional()(features).float()
        logs = logsigmoid(conditional)
        columns = []
        for index, parent in enumerate(self.parents):
            if parent is None:
                columns.append(conditional[:, index])
                continue
            log_probability = logs[:, index]
            while parent is not None:
                log_probability = log_probability + logs[:, parent]
                parent = self.parents[parent]
            probability = log_probability.exp().clamp(LEAST, 1 - LEAST)
            columns.append(probability.log() - (1 - probability).log())
        return torch.stack(columns, dim=1)

    def _conditional(self) -> nn.Module:
        return self.get_submodule("logit") if hasattr(self, "logit") else self.get_submodule("towers")

    def inherit(self, old: nn.Module, columns: list[int]) -> None:
        """As the towers, or the linear layer, do."""
        assert isinstance(old, Funnel)
        source, target = old._conditional(), self._conditional()
        if isinstance(target, TaskTowers):
            target.inherit(source, columns)
        else:
            inherit_linear(source, target, columns)
