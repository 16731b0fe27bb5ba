"""FinalMLP (Mao et al., AAAI 2023): two towers over gated embeddings, and their bilinear product."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import torch
from pydantic import Field as Limits
from pydantic import model_validator
from torch import nn

from autocompress.models.heads.head import AnyHead
from autocompress.models.heads.shared_bottom import SharedBottom
from autocompress.models.shape import Dims, Shape, Width, by_words, dim_words, first_larger, wider
from autocompress.models.tower import inherit_tower, last_layer, stream
from autocompress.schema import Frozen, Schema, Task


class FinalMLPShape(Frozen):
    """Two streams, `tower` and `second_tower`; their last widths are divided among `fusion_heads`."""

    kind: Literal["finalmlp"] = "finalmlp"
    aligned: ClassVar[bool] = False
    whole_lists: ClassVar[bool] = False
    embedding_dim: Dims = 16
    tower: tuple[Width, ...] = Limits((256,), min_length=1)
    second_tower: tuple[Width, ...] = Limits((256,), min_length=1)
    fusion_heads: int = Limits(4, ge=1, le=64)
    dropout: float = Limits(0.0, ge=0.0, lt=1.0)
    head: AnyHead = SharedBottom()

    @model_validator(mode="after")
    def _heads_divide_widths(self) -> Self:
        for name, widths in (("tower", self.tower), ("second_tower", self.second_tower)):
            if widths[-1] % self.fusion_heads:
                raise ValueError(f"{name} ends with {widths[-1]}, which fusion_heads {self.fusion_heads} must divide")
        return self

    def dense(self, schema: Schema, dims: tuple[int, ...]) -> nn.Module:
        """Gates, streams, fusion and head."""
        return FinalMLP(self, sum(dims), schema.tasks)

    def larger_than(self, teacher: Shape) -> str | None:
        """Embeddings or one of the towers."""
        second = getattr(teacher, "second_tower", ())
        return first_larger(self, teacher, {"second_tower": wider(self.second_tower, second)})

    def words(self) -> str:
        """For people."""
        streams = f"{by_words(self.tower)} and {by_words(self.second_tower)}"
        return f"FinalMLP, {dim_words(self.embedding_dim)}, {streams}"


class BilinearProduct(nn.Module):
    """(n, left) and (n, right) -> (n, right): inside each head, the left part mapped by a matrix, times the right."""

    def __init__(self, heads: int, left: int, right: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(heads, left // heads, right // heads) / (left // heads) ** 0.5)
        self.graph_constants = tuple(self.weight.shape)

    def forward(self, one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
        """Terms of the product; their sum per head is the paper's logit of that head."""
        heads, left, right = self.weight.shape
        split = one.reshape(-1, heads, left).transpose(0, 1)
        return torch.bmm(split, self.weight).transpose(0, 1).reshape(-1, heads * right) * two


class FinalMLP(nn.Module):
    """float32 (n, width) in, logits (n, tasks) out.

    A stream ends linearly: after a ReLU, an inner product of two embeddings would have to be written as four products
    of halves. Each stream weighs the embeddings by a gate of its own: the paper's feature selection with a learnt
    context, which is a constant, so its sigmoid is left out. The head reads both streams' outputs and the terms of
    their bilinear product, so it can weigh them anew for each task.
    """

    def __init__(self, shape: FinalMLPShape, width: int, tasks: tuple[Task, ...]) -> None:
        super().__init__()
        self.gates = nn.ParameterList(torch.ones(width) for _ in range(2))
        self.tower = stream(width, shape.tower, shape.dropout)
        self.second_tower = stream(width, shape.second_tower, shape.dropout)
        self.product = BilinearProduct(shape.fusion_heads, shape.tower[-1], shape.second_tower[-1])
        self.fixed_layers = (*last_layer("tower", shape.tower), *last_layer("second_tower", shape.second_tower))
        self.head = shape.head.module(shape.tower[-1] + 2 * shape.second_tower[-1], tasks)

    def forward(self, first: torch.Tensor) -> torch.Tensor:
        """Logits, one column per task."""
        one = self.tower(first * self.gates[0])
        two = self.second_tower(first * self.gates[1])
        logits: torch.Tensor = self.head(torch.cat([one, two, self.product(one, two)], dim=1))
        return logits

    def inherit(self, old: nn.Module, columns: list[int], dims: list[int] | None) -> list[int] | None:
        """Gates and the strongest units; None where the streams end narrower: their product starts anew."""
        assert isinstance(old, FinalMLP)
        for source, target in zip(old.gates, self.gates, strict=True):
            target.copy_(source[columns])
        inherit_tower(old.tower, self.tower, columns)
        inherit_tower(old.second_tower, self.second_tower, columns)
        same_depth = len(self.tower) == len(old.tower) and len(self.second_tower) == len(old.second_tower)
        mine, theirs = self.product.weight, old.product.weight
        if not same_depth or mine.shape != theirs.shape:
            return None
        mine.copy_(theirs)
        heads, left, right = theirs.shape
        return list(range(heads * (left + 2 * right)))
