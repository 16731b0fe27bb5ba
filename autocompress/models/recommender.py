"""A recommender: an embedding bank and the dense part over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from autocompress.data.inputs import Inputs
from autocompress.errors import UserError
from autocompress.models.bank_layout import BankLayout, ListInput
from autocompress.models.embedding import EmbeddingBank
from autocompress.models.shape import Shape, table_dims
from autocompress.schema import Schema


class Calibration(NamedTuple):
    """Of each task's logit x: x times its factor plus its shift, plus bend x (x - knot) for each knot (tasks, k) that x
    lies beyond. It rises everywhere, so that order and AUC stay."""

    factors: tuple[float, ...]
    shifts: tuple[float, ...]
    knots: tuple[tuple[float, ...], ...] = ()
    bends: tuple[tuple[float, ...], ...] = ()


class Recommender(nn.Module):
    """ids (n, slots) int64, and numbers float32 (n, width) where there are any -> logits (n, tasks) float32.

    With a `calibration`, which is set when a model is done, logits are those after it, here and in the file.
    """

    def __init__(self, bank: EmbeddingBank, dense: nn.Module) -> None:
        super().__init__()
        self.bank, self.dense = bank, dense
        self.calibration: Calibration | None = None

    def forward(self, ids: torch.Tensor, numbers: torch.Tensor | None = None) -> torch.Tensor:
        """Logits, one column per task."""
        logits: torch.Tensor = self.dense(self.bank(ids, numbers))
        return logits if self.calibration is None else calibrated(logits, self.calibration)


def calibrated(logits: torch.Tensor, calibration: Calibration) -> torch.Tensor:
    """Logits (n, tasks) after it."""
    factors, shifts, knots, bends = map(logits.new_tensor, calibration)
    straight = logits * factors + shifts
    if not knots.numel():
        return straight
    return straight + (torch.relu(logits[:, :, None] - knots) * bends).sum(dim=2)


def tensors(inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor | None]:
    """What `Recommender.forward` takes, of a block of rows."""
    numbers = None if inputs.numbers is None else torch.from_numpy(np.array(inputs.numbers))
    return torch.from_numpy(inputs.ids.astype(np.int64)), numbers


def build(
    shape: Shape, schema: Schema, rows: Sequence[int], module: Callable[[int, int], nn.Module] | None = None
) -> Recommender:
    """A freshly initialised model. `rows[i]` are the rows of table i of the schema, out-of-vocabulary included.

    `module` makes the dense part, of the bank's width and the number of tasks, in place of the shape.

    `UserError` where the schema has vectors and models of this kind read none.
    """
    bank = EmbeddingBank(bank_layout(shape, schema, rows)).draw()
    if module is not None:
        return Recommender(bank, module(bank.layout.width, len(schema.tasks)))
    return with_bank(shape, schema, bank)


def bank_layout(shape: Shape, schema: Schema, rows: Sequence[int]) -> BankLayout:
    """That of a model's tables as `build` makes them, with its errors."""
    if schema.vectors and shape.aligned:
        raise UserError(
            f"teacher.shape.kind={shape.kind}: it multiplies embeddings of one dimension and has no place for the "
            f"vector {schema.vectors[0].name!r}; drop it with data.exclude, or take a kind that reads vectors: dcnv2"
        )
    dims = table_dims(shape.embedding_dim, schema.tables)
    lists = [ListInput(schema.tables.index(each.shares or each.name), each.length) for each in schema.sequences]
    widths = tuple(vector.width for vector in schema.vectors)
    return BankLayout(tuple(rows), dims, len(schema.fields), tuple(lists), whole=shape.whole_lists, numbers=sum(widths))


def with_bank(shape: Shape, schema: Schema, bank: EmbeddingBank) -> Recommender:
    """A freshly initialised dense part over tables of that shape."""
    dims, layout = bank.layout.dims, bank.layout
    lists = (dims[each.table] for each in layout.lists)
    widths = (vector.width for vector in schema.vectors)
    return Recommender(bank, shape.dense(schema, (*dims[: layout.fields], *lists, *widths)))
