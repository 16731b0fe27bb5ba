"""DCNv2 (Wang et al., WWW 2021): a cross network beside a tower."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field as Limits
from torch import nn

from autocompress.models.cross import CrossLayer
from autocompress.models.heads.head import AnyHead
from autocompress.models.heads.shared_bottom import SharedBottom
from autocompress.models.shape import Dims, Shape, Width, by_words, dim_words, first_larger
from autocompress.models.tower import inherit_tower, tower
from autocompress.schema import Frozen, Schema, Task


class DCNv2Shape(Frozen):
    """`cross_rank` None means full-rank cross layers; an empty `tower` leaves the cross network alone.

    With neither cross layers nor a tower the head reads the embeddings themselves.
    """

    kind: Literal["dcnv2"] = "dcnv2"
    aligned: ClassVar[bool] = False
    whole_lists: ClassVar[bool] = False
    embedding_dim: Dims = 16
    cross_layers: int = Limits(2, ge=0, le=16)
    cross_rank: Width | None = 64
    tower: tuple[Width, ...] = (256, 256)
    dropout: float = Limits(0.0, ge=0.0, lt=1.0)
    head: AnyHead = SharedBottom()

    def dense(self, schema: Schema, dims: tuple[int, ...]) -> nn.Module:
        """Cross network, tower and head."""
        return DCNv2(self, sum(dims), schema.tasks)

    def larger_than(self, teacher: Shape) -> str | None:
        """Embeddings, tower or cross layers."""
        layers = getattr(teacher, "cross_layers", 0)
        return first_larger(self, teacher, {"cross_layers": self.cross_layers > layers})

    def words(self) -> str:
        """For people."""
        return f"{dim_words(self.embedding_dim)}, {self.cross_layers} cross, {by_words(self.tower)}"


class DCNv2(nn.Module):
    """float32 (n, width) in, logits (n, tasks) out."""

    def __init__(self, shape: DCNv2Shape, width: int, tasks: tuple[Task, ...]) -> None:
        super().__init__()
        self.width = width
        self.cross = nn.ModuleList(CrossLayer(width, shape.cross_rank) for _ in range(shape.cross_layers))
        self.tower = tower(width, shape.tower, shape.dropout)
        joined = (width if shape.cross_layers or not shape.tower else 0) + (shape.tower[-1] if shape.tower else 0)
        self.head = shape.head.module(joined, tasks)

    def forward(self, first: torch.Tensor) -> torch.Tensor:
        """Logits, one column per task."""
        hidden = first
        for layer in self.cross:
            hidden = layer(first, hidden)
        parts = [hidden] if len(self.cross) or not len(self.tower) else []
        if len(self.tower):
            parts.append(self.tower(first))
        logits: torch.Tensor = self.head(parts[0] if len(parts) == 1 else torch.cat(parts, dim=1))
        return logits

    def inherit(self, old: nn.Module, columns: list[int], dims: list[int] | None) -> list[int] | None:
        """The first cross layers and the strongest units; None where the head reads other parts than the old one."""
        assert isinstance(old, DCNv2)
        if len(self.cross) > len(old.cross):
            raise ValueError(f"cross_layers {len(self.cross)} is more than the teacher's {len(old.cross)}")
        for source, target in zip(old.cross, self.cross, strict=False):
            assert isinstance(source, CrossLayer)
            assert isinstance(target, CrossLayer)
            target.inherit(source, columns)
        units = inherit_tower(old.tower, self.tower, columns)
        if len(self.tower) != len(old.tower) or bool(len(self.cross)) != bool(len(old.cross)):
            return None
        reads_input = bool(len(old.cross)) or not len(old.tower)
        start = old.width if reads_input else 0
        return (columns if reads_input else []) + ([start + unit for unit in units] if len(old.tower) else [])
