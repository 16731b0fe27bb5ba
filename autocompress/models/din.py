"""DIN (Zhou et al., KDD 2018): a history is summed up in the light of the target item, then a tower."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field as Limits
from torch import nn

from autocompress.models.heads.head import AnyHead, inherit_linear
from autocompress.models.heads.shared_bottom import SharedBottom
from autocompress.models.history import ListPlace, entries_of, list_places, mean_of
from autocompress.models.shape import Dim, Shape, Width, by_words, dim_words, first_larger
from autocompress.models.tower import inherit_tower, tower
from autocompress.schema import Frozen, Schema, Task


class DINShape(Frozen):
    """Lists that share the ids of a field are weighed by that field's value, others give their mean.

    `attention` is the width of the hidden layer that weighs an entry.
    """

    kind: Literal["din"] = "din"
    aligned: ClassVar[bool] = False
    whole_lists: ClassVar[bool] = True
    embedding_dim: Dim = 16
    attention: Width = 32
    tower: tuple[Width, ...] = Limits((256, 256), min_length=1)
    dropout: float = Limits(0.0, ge=0.0, lt=1.0)
    head: AnyHead = SharedBottom()

    def dense(self, schema: Schema, dims: tuple[int, ...]) -> nn.Module:
        """Attention over each list, tower and head."""
        return DIN(self, list_places(schema, self.embedding_dim), sum(dims), schema.tasks)

    def larger_than(self, teacher: Shape) -> str | None:
        """Embeddings or tower, or another width of the attention."""
        return first_larger(self, teacher, {"attention": self.attention != getattr(teacher, "attention", None)})

    def words(self) -> str:
        """For people."""
        return f"DIN, {dim_words(self.embedding_dim)}, attention {self.attention}, {by_words(self.tower)}"


class TargetAttention(nn.Module):
    """Weighs each entry of a list by the target: (n, length, d) and (n, d) -> (n, length).

    The hidden layer sees entry, target, their difference and their product. Weights are no softmax: how much of the
    history speaks for the target is part of the message (section 4.3 of the paper).
    """

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(4 * dim, width)
        self.out = nn.Linear(width, 1)

    def forward(self, entries: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Weights, one per entry."""
        length, dim = entries.shape[1:]
        flat, against = entries.reshape(-1, dim), target.unsqueeze(1).expand(-1, length, -1).reshape(-1, dim)
        seen = torch.cat([flat, against, flat - against, flat * against], dim=1)
        weights: torch.Tensor = self.out(self.hidden(seen).relu())
        return weights.reshape(-1, length)

    def inherit(self, old: TargetAttention, dims: list[int]) -> None:
        """The weights of the kept dimensions."""
        inherit_linear(
            old.hidden, self.hidden, [part * old.hidden.in_features // 4 + d for part in range(4) for d in dims]
        )
        inherit_linear(old.out, self.out, list(range(self.out.in_features)))


class DIN(nn.Module):
    """What a bank of whole lists gives, float32 (n, width), in; logits (n, tasks) out."""

    def __init__(self, shape: DINShape, lists: tuple[ListPlace, ...], width: int, tasks: tuple[Task, ...]) -> None:
        """`width` is that of the tower's input: fields, one vector per list, numbers."""
        super().__init__()
        self.lists, self.dim, self.width = lists, shape.embedding_dim, width
        self.fields = lists[0].start if lists else width
        self.graph_constants = (self.dim, width, *(number for each in lists for number in each))
        targets = [index for index, each in enumerate(lists) if each.target is not None]
        self.attention = nn.ModuleDict({str(index): TargetAttention(self.dim, shape.attention) for index in targets})
        self.fixed_layers = tuple(f"attention.{index}.{name}" for index in targets for name in ("hidden", "out"))
        self.tower = tower(width, shape.tower, shape.dropout)
        self.head = shape.head.module(shape.tower[-1], tasks)

    def forward(self, first: torch.Tensor) -> torch.Tensor:
        """Logits, one column per task."""
        parts = [first[:, : self.fields]]
        for index, each in enumerate(self.lists):
            entries, there = entries_of(first, each, self.dim)
            if each.target is None:
                parts.append(mean_of(entries, there))
                continue
            target = first[:, each.target * self.dim : (each.target + 1) * self.dim]
            weights = self.attention[str(index)](entries, target) * there
            parts.append((entries * weights.unsqueeze(2)).sum(dim=1))
        if self.lists:
            parts.append(first[:, self.lists[-1].marks + self.lists[-1].length :])
        logits: torch.Tensor = self.head(self.tower(torch.cat(parts, dim=1)))
        return logits

    def inherit(self, old: nn.Module, columns: list[int], dims: list[int] | None) -> list[int] | None:
        """Attention on the kept dimensions, the strongest units."""
        assert isinstance(old, DIN)
        read = columns[: self.fields]
        for index, (mine, theirs) in enumerate(zip(self.lists, old.lists, strict=True)):
            kept = [column - theirs.start for column in columns[mine.start : mine.start + self.dim]]
            read += [old.fields + index * old.dim + dim for dim in kept]
            if mine.target is not None:
                source, target = old.attention[str(index)], self.attention[str(index)]
                assert isinstance(source, TargetAttention)
                assert isinstance(target, TargetAttention)
                target.inherit(source, kept)
        numbers = self.width - len(read)
        units = inherit_tower(old.tower, self.tower, [*read, *range(old.width - numbers, old.width)])
        return units if len(self.tower) == len(old.tower) else None
