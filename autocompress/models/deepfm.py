"""DeepFM (Guo et al., IJCAI 2017): a factorization machine beside a tower, over the same embeddings."""

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


class DeepFMShape(Frozen):
    """One embedding dimension for all fields, and a tower."""

    kind: Literal["deepfm"] = "deepfm"
    aligned: ClassVar[bool] = True
    whole_lists: ClassVar[bool] = False
    embedding_dim: Dim = 16
    tower: tuple[Width, ...] = Limits((256, 256), min_length=1)
    dropout: float = Limits(0.0, ge=0.0, lt=1.0)
    head: AnyHead = SharedBottom()

    def dense(self, schema: Schema, dims: tuple[int, ...]) -> nn.Module:
        """Factorization machine, tower and head."""
        return DeepFM(self, len(dims), schema.tasks)

    def larger_than(self, teacher: Shape) -> str | None:
        """Embeddings or tower."""
        return first_larger(self, teacher, {})

    def words(self) -> str:
        """For people."""
        return f"DeepFM, {dim_words(self.embedding_dim)}, {by_words(self.tower)}"


class DeepFM(nn.Module):
    """float32 (n, fields * d) in, logits (n, tasks) out.

    The head reads the embeddings (the first-order term is a linear map of them, so no second table is needed), the
    pairwise products summed over pairs of fields, one per dimension (Rendle, ICDM 2010, in linear time), and the tower.
    """

    def __init__(self, shape: DeepFMShape, fields: int, tasks: tuple[Task, ...]) -> None:
        super().__init__()
        self.fields, self.dim = fields, shape.embedding_dim
        self.graph_constants = (fields, self.dim)
        width = fields * self.dim
        self.tower = tower(width, shape.tower, shape.dropout)
        self.head = shape.head.module(width + self.dim + shape.tower[-1], tasks)

    def forward(self, first: torch.Tensor) -> torch.Tensor:
        """Logits, one column per task."""
        vectors = first.reshape(-1, self.fields, self.dim)
        products = 0.5 * (vectors.sum(dim=1).square() - vectors.square().sum(dim=1))
        logits: torch.Tensor = self.head(torch.cat([first, products, self.tower(first)], dim=1))
        return logits

    def inherit(self, old: nn.Module, columns: list[int], dims: list[int] | None) -> list[int] | None:
        """The kept dimensions and the strongest units."""
        assert isinstance(old, DeepFM)
        assert dims is not None
        units = inherit_tower(old.tower, self.tower, columns)
        if len(self.tower) != len(old.tower):
            return None
        width = old.fields * old.dim
        return [*columns, *(width + dim for dim in dims), *(width + old.dim + unit for unit in units)]
