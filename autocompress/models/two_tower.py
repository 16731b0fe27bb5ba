"""Two towers for retrieval (Yi et al., RecSys 2019): a user vector and an item vector, scored by their cosine."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field as Limits
from torch import nn

from autocompress.errors import not_allowed
from autocompress.models.heads.head import inherit_linear
from autocompress.models.shape import Dim, Shape, Width, by_words, dim_words, first_larger
from autocompress.models.tower import inherit_tower, tower
from autocompress.schema import Frozen, Schema

TEMPERATURE = 10.0
"""First factor of the cosine: small enough to train, large enough that a softmax over a batch can tell items apart."""


class TwoTowerShape(Frozen):
    """`item_fields` (the first of them an id) go to the item's tower, all other inputs to the user's.

    Both towers end in `output` numbers. Without `tower` the vectors are linear maps of the embeddings.
    """

    kind: Literal["two_tower"] = "two_tower"
    aligned: ClassVar[bool] = False
    whole_lists: ClassVar[bool] = False
    item_fields: tuple[str, ...] = Limits(("item",), min_length=1)
    embedding_dim: Dim = 16
    tower: tuple[Width, ...] = ()
    output: Width = 16
    dropout: float = Limits(0.0, ge=0.0, lt=1.0)

    def dense(self, schema: Schema, dims: tuple[int, ...]) -> nn.Module:
        """Both towers. `UserError` where `item_fields` names no field, or leaves the user none."""
        for name in self.item_fields:
            allowed = schema.field_names if name == self.item_fields[0] else schema.input_names
            if name not in allowed:
                raise not_allowed(f"teacher.shape.item_fields holds {name!r}: no field", name, allowed)
        if not set(schema.input_names) - set(self.item_fields):
            raise not_allowed("teacher.shape.item_fields holds every field: a user needs one", "", schema.field_names)
        return TwoTower(self, schema, dims)

    def larger_than(self, teacher: Shape) -> str | None:
        """Embeddings or towers, another number of layers, another output or division of the fields."""
        others = {name: getattr(self, name) != getattr(teacher, name, None) for name in ("output", "item_fields")}
        return first_larger(self, teacher, {"tower": len(self.tower) != len(teacher.tower), **others})

    def words(self) -> str:
        """For people."""
        return f"two towers, {dim_words(self.embedding_dim)}, {by_words(self.tower)}, {self.output} out"


class TwoTower(nn.Module):
    """float32 (n, fields * d) in, logits (n, tasks) out: a task's logit is a linear map of the cosine."""

    def __init__(self, shape: TwoTowerShape, schema: Schema, dims: tuple[int, ...]) -> None:
        super().__init__()
        self.item_fields = tuple(schema.input_names.index(name) for name in shape.item_fields)
        owners = torch.arange(len(dims)).repeat_interleave(torch.tensor(dims))
        of_item = torch.isin(owners, torch.tensor(self.item_fields))
        item, user = torch.nonzero(of_item)[:, 0], torch.nonzero(~of_item)[:, 0]
        self.register_buffer("item_columns", item, persistent=False)
        self.register_buffer("user_columns", user, persistent=False)
        self.graph_constants = (shape.output, *item.tolist(), -1, *user.tolist())
        self.tower = tower(len(user), shape.tower, shape.dropout)
        self.item_tower = tower(len(item), shape.tower, shape.dropout)
        self.user_out = nn.Linear(shape.tower[-1] if shape.tower else len(user), shape.output)
        self.item_out = nn.Linear(shape.tower[-1] if shape.tower else len(item), shape.output)
        self.fixed_layers = ("user_out", "item_out")
        self.head = nn.Linear(1, len(schema.tasks))
        with torch.no_grad():
            self.head.weight.fill_(TEMPERATURE)

    def forward(self, first: torch.Tensor) -> torch.Tensor:
        """Logits, one column per task."""
        user, item = self.vectors(first)
        logits: torch.Tensor = self.head((user * item).sum(dim=1, keepdim=True))
        return logits

    def vectors(self, first: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """User and item vectors (n, output) of length 1."""
        user = self.user_out(self.tower(first.index_select(1, self.get_buffer("user_columns"))))
        item = self.item_out(self.item_tower(first.index_select(1, self.get_buffer("item_columns"))))
        return _unit(user), _unit(item)

    def inherit(self, old: nn.Module, columns: list[int], dims: list[int] | None) -> list[int] | None:
        """The strongest units of each tower; both vectors keep their numbers, or their products would be others."""
        assert isinstance(old, TwoTower)
        for side, name in (("user", "tower"), ("item", "item_tower")):
            there = {column: place for place, column in enumerate(old.get_buffer(f"{side}_columns").tolist())}
            mine = [there[columns[column]] for column in self.get_buffer(f"{side}_columns").tolist()]
            source, target = old.get_submodule(name), self.get_submodule(name)
            assert isinstance(source, nn.Sequential)
            assert isinstance(target, nn.Sequential)
            if len(target) != len(source):
                raise ValueError(f"tower has {len(target) // 3} layers, the teacher's {len(source) // 3}")
            units = inherit_tower(source, target, mine)
            inherit_linear(old.get_submodule(f"{side}_out"), self.get_submodule(f"{side}_out"), units)
        return [0]


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    return vectors / (vectors.square().sum(dim=1, keepdim=True) + 1e-12).sqrt()
