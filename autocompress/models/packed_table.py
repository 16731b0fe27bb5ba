"""Embedding tables that are not stored as rows: each looks itself up, and says how it is written into a file."""

from __future__ import annotations

from typing import Protocol, cast

import torch
from torch import nn

from autocompress.models.packed_linear import Graph


class PackedTable(Protocol):
    """A module that stands where a table of `rows` rows of `dim` numbers stood.

    Called with ids int64 (...) it gives float32 (..., dim), as the file will. Its parameters are looked up, too: their
    gradients are sparse while any are recorded.
    """

    rows: int
    dim: int

    def stored_graph(self, name: str) -> Graph:
        """What is stored, once, whoever reads it: nodes and initializers, every name starts with `name`."""

    def lookup_graph(self, table: str, rows: str, name: str) -> Graph:
        """From `rows` (int32 (n, m)) to `<name>.found`, float32 (n, m, dim); `table` is the name of what is stored."""


def packed(module: nn.Module) -> PackedTable:
    """The module, seen as what it is."""
    return cast(PackedTable, module)


def embedded(values: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Rows of `values` (rows, d) at `ids` (...), rounded to fp16 as they are stored; the gradient passes straight."""
    found = nn.functional.embedding(ids, values, sparse=torch.is_grad_enabled())
    return found + (found.half().float() - found).detach()
