"""AutoInt (Song et al., CIKM 2019): fields attend to each other, beside a tower."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field as Limits
from torch import nn

from autocompress.models.heads.head import AnyHead
from autocompress.models.heads.shared_bottom import SharedBottom
from autocompress.models.shape import Dim, Shape, Width, by_words, dim_words, first_larger
from autocompress.models.tower import inherit_tower, last_layer, tower
from autocompress.schema import Frozen, Schema, Task


class AutoIntShape(Frozen):
    """`attention_layers` layers of `attention_heads` heads, each `attention_width` wide; an empty tower is none."""

    kind: Literal["autoint"] = "autoint"
    aligned: ClassVar[bool] = True
    whole_lists: ClassVar[bool] = False
    embedding_dim: Dim = 16
    attention_layers: int = Limits(2, ge=1, le=8)
    attention_heads: int = Limits(2, ge=1, le=16)
    attention_width: Width = 16
    tower: tuple[Width, ...] = (256, 256)
    dropout: float = Limits(0.0, ge=0.0, lt=1.0)
    head: AnyHead = SharedBottom()

    def dense(self, schema: Schema, dims: tuple[int, ...]) -> nn.Module:
        """Attention layers, tower and head."""
        return AutoInt(self, len(dims), schema.tasks)

    def larger_than(self, teacher: Shape) -> str | None:
        """Embeddings or tower, more attention layers, or other attention widths."""
        more = self.attention_layers > getattr(teacher, "attention_layers", 0)
        others = {
            name: getattr(self, name) != getattr(teacher, name, None) for name in ("attention_heads", "attention_width")
        }
        return first_larger(self, teacher, {"attention_layers": more, **others})

    def words(self) -> str:
        """For people."""
        layers = f"{self.attention_layers} attention layers"
        return f"AutoInt, {dim_words(self.embedding_dim)}, {layers}, {by_words(self.tower)}"


class FieldAttention(nn.Module):
    """Multi-head self-attention over fields with a residual: (n, fields, width) -> (n, fields, heads * head_width).

    Weights stand on the right of plain products, so that they keep their names in an exported graph.
    """

    def __init__(self, width: int, heads: int, head_width: int) -> None:
        super().__init__()
        self.heads, self.head_width = heads, head_width
        self.graph_constants = (heads, head_width)
        for name in ("query", "key", "value", "residual"):
            self.register_parameter(name, nn.Parameter(torch.randn(width, heads * head_width) / width**0.5))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """ReLU of what is attended to plus the residual."""
        query, key, value = (self._heads(vectors @ self.get_parameter(name)) for name in ("query", "key", "value"))
        weights = torch.softmax(query @ key.transpose(2, 3) / self.head_width**0.5, dim=3)
        found = (weights @ value).transpose(1, 2).reshape(-1, vectors.shape[1], self.heads * self.head_width)
        return (found + vectors @ self.get_parameter("residual")).relu()

    def _heads(self, vectors: torch.Tensor) -> torch.Tensor:
        return vectors.reshape(-1, vectors.shape[1], self.heads, self.head_width).transpose(1, 2)


class AutoInt(nn.Module):
    """float32 (n, fields * d) in, logits (n, tasks) out."""

    def __init__(self, shape: AutoIntShape, fields: int, tasks: tuple[Task, ...]) -> None:
        super().__init__()
        self.fields, self.dim = fields, shape.embedding_dim
        self.graph_constants = (fields, self.dim)
        out = shape.attention_heads * shape.attention_width
        widths = [self.dim, *[out] * (shape.attention_layers - 1)]
        self.attention = nn.ModuleList(
            FieldAttention(width, shape.attention_heads, shape.attention_width) for width in widths
        )
        self.tower = tower(fields * self.dim, shape.tower, shape.dropout)
        self.fixed_layers = last_layer("tower", shape.tower)
        self.head = shape.head.module(fields * out + (shape.tower[-1] if shape.tower else 0), tasks)

    def forward(self, first: torch.Tensor) -> torch.Tensor:
        """Logits, one column per task."""
        vectors = first.reshape(-1, self.fields, self.dim)
        for layer in self.attention:
            vectors = layer(vectors)
        parts = [vectors.flatten(1)]
        if len(self.tower):
            parts.append(self.tower(first))
        logits: torch.Tensor = self.head(torch.cat(parts, dim=1))
        return logits

    def inherit(self, old: nn.Module, columns: list[int], dims: list[int] | None) -> list[int] | None:
        """The first attention layers, the kept dimensions and the strongest units."""
        assert isinstance(old, AutoInt)
        assert dims is not None
        for index, (source, target) in enumerate(zip(old.attention, self.attention, strict=False)):
            for name, weight in target.named_parameters():
                kept = source.get_parameter(name)
                weight.copy_(kept[dims] if index == 0 else kept)
        units = inherit_tower(old.tower, self.tower, columns)
        if len(self.tower) != len(old.tower) or len(self.attention) != len(old.attention):
            return None
        attended = self.head_inputs(old)
        return [*range(attended), *((attended + unit for unit in units) if len(old.tower) else ())]

    @staticmethod
    def head_inputs(model: AutoInt) -> int:
        """Columns of the head's input that come from attention."""
        return model.fields * int(model.attention[-1].get_parameter("value").shape[1])
