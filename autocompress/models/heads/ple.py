"""PLE (Tang et al., RecSys 2020): shared experts and experts of each task's own, in one or more levels."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field as Limits
from torch import nn

from autocompress.models.heads.head import inherit_linear, inherit_rest
from autocompress.models.heads.mmoe import inherit_gate, mix
from autocompress.models.heads.shared_bottom import Width, task_tower
from autocompress.models.tower import tower
from autocompress.schema import Frozen, Task


class Ple(Frozen):
    """Per level: `shared_experts` for all, `task_experts` for each task, towers of the widths `expert` all of them."""

    kind: Literal["ple"] = "ple"
    levels: int = Limits(1, ge=1, le=4)
    shared_experts: int = Limits(4, ge=1, le=64)
    task_experts: int = Limits(2, ge=1, le=64)
    expert: tuple[Width, ...] = Limits((16,), min_length=1)
    towers: tuple[Width, ...] = (8,)

    def module(self, width: int, tasks: tuple[Task, ...]) -> nn.Module:
        """Levels of experts and gates, then task towers."""
        return ProgressiveExtraction(width, self, len(tasks))


class Extraction(nn.Module):
    """One level: streams (one per task, then the shared one) in, as many streams out.

    A task's gate mixes its own experts and the shared ones; the shared gate mixes all, and the last level has none.
    """

    def __init__(self, width: int, config: Ple, tasks: int, last: bool) -> None:
        super().__init__()
        own, shared = config.task_experts, config.shared_experts
        self.own = nn.ModuleList(
            nn.ModuleList(tower(width, config.expert, 0.0) for _ in range(own)) for _ in range(tasks)
        )
        self.shared = nn.ModuleList(tower(width, config.expert, 0.0) for _ in range(shared))
        self.gates = nn.ModuleList(nn.Linear(width, own + shared, bias=False) for _ in range(tasks))
        if not last:
            self.gates.append(nn.Linear(width, own * tasks + shared, bias=False))

    def forward(self, streams: list[torch.Tensor]) -> list[torch.Tensor]:
        """(n, width) each in, (n, last width of an expert) each out."""
        own = [
            [expert(stream) for expert in self.own.get_submodule(str(task)).children()]
            for task, stream in enumerate(streams[:-1])
        ]
        shared = [expert(streams[-1]) for expert in self.shared]
        pools = [[*mine, *shared] for mine in own]
        pools.append([expert for mine in own for expert in mine] + shared)
        return [mix(gate(stream), pool) for gate, stream, pool in zip(self.gates, streams, pools, strict=False)]


class ProgressiveExtraction(nn.Module):
    """float32 (n, width) -> logits (n, tasks)."""

    def __init__(self, width: int, config: Ple, tasks: int) -> None:
        super().__init__()
        widths = [width, *[config.expert[-1]] * (config.levels - 1)]
        self.levels = nn.ModuleList(
            Extraction(w, config, tasks, level + 1 == config.levels) for level, w in enumerate(widths)
        )
        self.tasks = nn.ModuleList(task_tower(config.expert[-1], config.towers) for _ in range(tasks))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """One column per task."""
        streams = [features] * (len(self.tasks) + 1)
        for level in self.levels:
            streams = level(streams)
        return torch.cat([task(stream) for task, stream in zip(self.tasks, streams, strict=False)], dim=1)

    def inherit(self, old: nn.Module, columns: list[int]) -> None:
        """The first level's layers by column, the rest as it is."""
        assert isinstance(old, ProgressiveExtraction)
        first, source = self.levels[0], old.levels[0]
        done = []
        for name, module in first.named_modules():
            if not isinstance(module, nn.Linear):
                continue
            if name.startswith("gates."):
                inherit_gate(source.get_submodule(name), module, columns)
                done.append(f"levels.0.{name}.")
            elif name.rpartition(".")[2] == "0":
                inherit_linear(source.get_submodule(name), module, columns)
                done.append(f"levels.0.{name}.")
        inherit_rest(old, self, tuple(done))
