"""SASRec (Kang and McAuley, ICDM 2018): self-attention over a history; the next item is the nearest to its state."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field as Limits
from torch import nn

from autocompress.errors import UserError
from autocompress.models.dropout import Dropout
from autocompress.models.history import ListPlace, entries_of, list_places
from autocompress.models.shape import Dim, Shape, dim_words, first_larger
from autocompress.schema import Frozen, Schema

FAR = -1e9
"""Added to the score of what may not be attended to."""


class SASRecShape(Frozen):
    """`blocks` of causal self-attention over the first list that shares the ids of a field: the item to be scored.

    All other inputs are left aside: what comes next follows from the history alone.
    """

    kind: Literal["sasrec"] = "sasrec"
    aligned: ClassVar[bool] = True
    whole_lists: ClassVar[bool] = True
    tower: ClassVar[tuple[int, ...]] = ()
    embedding_dim: Dim = 32
    blocks: int = Limits(2, ge=1, le=8)
    dropout: float = Limits(0.2, ge=0.0, lt=1.0)

    def dense(self, schema: Schema, dims: tuple[int, ...]) -> nn.Module:
        """Positions, blocks, and the product with the item. `UserError` where no list shares the ids of a field."""
        place = next((each for each in list_places(schema, self.embedding_dim) if each.target is not None), None)
        if place is None:
            raise UserError("teacher.shape.kind=sasrec: no list of the data shares the ids of a field (`shares`)")
        return SASRec(self, place, len(schema.tasks))

    def larger_than(self, teacher: Shape) -> str | None:
        """Embeddings, or more blocks."""
        return first_larger(self, teacher, {"blocks": self.blocks > getattr(teacher, "blocks", 0)})

    def words(self) -> str:
        """For people."""
        return f"SASRec, {dim_words(self.embedding_dim)}, {self.blocks} block{'s' * (self.blocks > 1)}"


class Block(nn.Module):
    """Pre-norm self-attention of one head and a position-wise layer pair, each with a residual: (n, length, d)."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.graph_constants = (dim, "last")
        for name in ("query", "key", "value", "inner", "outer"):
            self.register_parameter(name, nn.Parameter(torch.randn(dim, dim) / dim**0.5))
        self.attention_norm, self.forward_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)

    def forward(self, states: torch.Tensor, mask: torch.Tensor, last: int) -> torch.Tensor:
        """The `last` positions alone; `mask` (n, length, length) is `FAR` where a position may not look."""
        normed = self.attention_norm(states)
        query, key = normed[:, -last:] @ self.get_parameter("query"), normed @ self.get_parameter("key")
        weights = torch.softmax(query @ key.transpose(1, 2) / states.shape[2] ** 0.5 + mask[:, -last:], dim=2)
        states = states[:, -last:] + self.dropout(weights @ (normed @ self.get_parameter("value")))
        inner = (self.forward_norm(states) @ self.get_parameter("inner")).relu()
        after: torch.Tensor = states + self.dropout(inner @ self.get_parameter("outer"))
        return after

    def inherit(self, old: Block, dims: list[int]) -> None:
        """The kept dimensions of every weight."""
        for name, weight in self.named_parameters():
            source = old.get_parameter(name)
            weight.copy_(source[dims] if weight.dim() == 1 else source[dims][:, dims])


class SASRec(nn.Module):
    """What a bank of whole lists gives, float32 (n, width), in; logits (n, tasks) out."""

    def __init__(self, shape: SASRecShape, place: ListPlace, tasks: int) -> None:
        super().__init__()
        self.place, self.dim = place, shape.embedding_dim
        self.item_fields = (place.target or 0,)
        self.graph_constants = (self.dim, *(number for number in place if number is not None))
        self.positions = nn.Parameter(0.02 * torch.randn(place.length, self.dim))
        self.blocks = nn.ModuleList(Block(self.dim, shape.dropout) for _ in range(shape.blocks))
        self.norm = nn.LayerNorm(self.dim)
        self.register_buffer("future", FAR * torch.ones(place.length, place.length).triu(1), persistent=False)
        self.head = nn.Linear(1, tasks)
        with torch.no_grad():
            self.head.weight.fill_(1.0)

    def forward(self, first: torch.Tensor) -> torch.Tensor:
        """Logits, one column per task."""
        state, item = self.vectors(first)
        logits: torch.Tensor = self.head((state * item).sum(dim=1, keepdim=True))
        return logits

    def vectors(self, first: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The state after the last entry, and the item's embedding, (n, d) each."""
        entries, there = entries_of(first, self.place, self.dim)
        # a history is padded on the left: its last slot holds its last entry, and an empty one is all padding
        states = (entries * self.dim**0.5 + self.positions) * there.unsqueeze(2)
        mask = self.get_buffer("future") + FAR * (1.0 - there).unsqueeze(1)
        for index, block in enumerate(self.blocks):
            # only one state leaves the last block
            states = block(states, mask, 1 if index + 1 == len(self.blocks) else self.place.length)
        (target,) = self.item_fields
        item = first[:, target * self.dim : (target + 1) * self.dim]
        return self.norm(states)[:, -1], item

    def inherit(self, old: nn.Module, columns: list[int], dims: list[int] | None) -> list[int] | None:
        """The first blocks, and the kept dimensions of everything."""
        assert isinstance(old, SASRec)
        assert dims is not None
        if len(self.blocks) > len(old.blocks):
            raise ValueError(f"blocks {len(self.blocks)} is more than the teacher's {len(old.blocks)}")
        self.positions.copy_(old.positions[:, dims])
        for name, weight in self.norm.named_parameters():
            weight.copy_(old.norm.get_parameter(name)[dims])
        for source, target in zip(old.blocks, self.blocks, strict=False):
            assert isinstance(source, Block)
            assert isinstance(target, Block)
            target.inherit(source, dims)
        return [0]
