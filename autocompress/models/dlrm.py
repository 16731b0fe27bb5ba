"""DLRM (Naumov et al., arXiv:1906.00091): dot products of every pair of field vectors, then a tower."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field as Limits
from torch import nn

from autocompress.models.heads.head import AnyHead
from autocompress.models.heads.shared_bottom import SharedBottom
from autocompress.models.shape import Dim, Shape, Width, by_words, dim_words, first_larger
from autocompress.models.tower import inherit_tower, tower
from autocompress.schema import Frozen, Schema, Task


class DLRMShape(Frozen):
    """`tower` is the top one; the bottom one is a single layer."""

    kind: Literal["dlrm"] = "dlrm"
    aligned: ClassVar[bool] = True
    whole_lists: ClassVar[bool] = False
    embedding_dim: Dim = 16
    tower: tuple[Width, ...] = Limits((256, 256), min_length=1)
    dropout: float = Limits(0.0, ge=0.0, lt=1.0)
    head: AnyHead = SharedBottom()

    def dense(self, schema: Schema, dims: tuple[int, ...]) -> nn.Module:
        """Bottom layer, dot products, top tower and head."""
        return DLRM(self, len(dims), schema.tasks)

    def larger_than(self, teacher: Shape) -> str | None:
        """Embeddings or tower."""
        return first_larger(self, teacher, {})

    def words(self) -> str:
        """For people."""
        return f"DLRM, {dim_words(self.embedding_dim)}, {by_words(self.tower)}"


class DLRM(nn.Module):
    """float32 (n, fields * d) in, logits (n, tasks) out.

    DLRM's bottom layers read dense numbers. Numbers are buckets with embeddings here, so the bottom layer reads all
    embeddings; its output takes part in the dot products as one more field, and goes on to the top tower.
    """

    pairs: torch.Tensor

    def __init__(self, shape: DLRMShape, fields: int, tasks: tuple[Task, ...]) -> None:
        super().__init__()
        self.fields, self.dim = fields, shape.embedding_dim
        self.graph_constants = (fields, self.dim)
        self.fixed_layers = ("bottom",)
        self.bottom = nn.Linear(fields * self.dim, self.dim)
        left, right = torch.tril_indices(fields + 1, fields + 1, offset=-1)
        self.register_buffer("pairs", left * (fields + 1) + right, persistent=False)
        self.tower = tower(self.dim + len(self.pairs), shape.tower, shape.dropout)
        self.head = shape.head.module(shape.tower[-1], tasks)

    def forward(self, first: torch.Tensor) -> torch.Tensor:
        """Logits, one column per task."""
        bottom = self.bottom(first).relu()
        vectors = torch.cat([first, bottom], dim=1).reshape(-1, self.fields + 1, self.dim)
        products = torch.bmm(vectors, vectors.transpose(1, 2)).reshape(-1, (self.fields + 1) ** 2)
        joined = torch.cat([bottom, products.index_select(1, self.pairs)], dim=1)
        logits: torch.Tensor = self.head(self.tower(joined))
        return logits

    def inherit(self, old: nn.Module, columns: list[int], dims: list[int] | None) -> list[int] | None:
        """The kept dimensions, every pair, and the strongest units."""
        assert isinstance(old, DLRM)
        assert dims is not None
        self.bottom.weight.copy_(old.bottom.weight[dims][:, columns])
        self.bottom.bias.copy_(old.bottom.bias[dims])
        units = inherit_tower(old.tower, self.tower, [*dims, *(old.dim + pair for pair in range(len(old.pairs)))])
        return units if len(self.tower) == len(old.tower) else None
