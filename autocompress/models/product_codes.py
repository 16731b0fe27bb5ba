"""A table whose rows are made of a few shared pieces.

Jegou, Douze and Schmid, "Product Quantization for Nearest Neighbor Search", TPAMI 2011; for embeddings Kang et al.,
WWW 2020. A row is some codes of one byte, each naming one of the 256 pieces of its place.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper
from torch import nn

from autocompress.models.packed_linear import Graph, initializers
from autocompress.models.packed_table import embedded

PIECES = 256
"""Pieces of a place: what a byte can name."""


class Places(NamedTuple):
    """Neighbouring places with pieces of one size: the first of them, how many, and the first of their numbers."""

    first: int
    many: int
    size: int
    start: int


def places_of(dim: int, places: int) -> tuple[Places, ...]:
    """`dim` numbers divided among `places` as evenly as they can be: longer pieces, if any, stand first."""
    size, longer = divmod(dim, places)
    found = (Places(0, longer, size + 1, 0), Places(longer, places - longer, size, longer * (size + 1)))
    return tuple(each for each in found if each.many)


class ProductCodes(nn.Module):
    """`codes` uint8 (rows, places), which stay, and pieces, which are trained and stored in fp16.

    There is a book float32 (many * PIECES, size) for each entry of `places`.
    """

    def __init__(self, rows: int, dim: int, places: int) -> None:
        super().__init__()
        self.rows, self.dim, self.places = rows, dim, places_of(dim, places)
        self.codes: torch.Tensor
        self.register_buffer("codes", torch.zeros(rows, places, dtype=torch.uint8))
        self.books = nn.ParameterList(torch.zeros(each.many * PIECES, each.size) for each in self.places)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """ids int64 (...) -> float32 (..., dim)."""
        codes, parts = self.codes[ids].long(), []
        for each, book in zip(self.places, self.books, strict=True):
            wanted = codes[..., each.first : each.first + each.many]
            wanted = wanted + PIECES * torch.arange(each.many, device=ids.device)
            parts.append(embedded(book, wanted).flatten(-2))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)

    def stored_graph(self, name: str) -> Graph:
        """The codes, and the nodes that make the pieces floats."""
        arrays: dict[str, NDArray[Any]] = {"codes": self.codes.numpy()}
        nodes: list[NodeProto] = []
        for index, (each, book) in enumerate(zip(self.places, self.books, strict=True)):
            half, whole = f"half_{index}", f"{name}.book_{index}"
            arrays[half] = book.detach().half().numpy()
            arrays[f"first_{index}"] = (PIECES * np.arange(each.many)).astype(np.int32)
            arrays[f"shape_{index}"] = np.array([0, 0, each.many * each.size], dtype=np.int64)
            nodes.append(helper.make_node("Cast", [f"{name}.{half}"], [whole], to=TensorProto.FLOAT))
        if len(self.places) > 1:
            arrays["many"] = np.array([each.many for each in self.places], dtype=np.int64)
        return nodes, initializers(name, arrays)

    def lookup_graph(self, table: str, rows: str, name: str) -> Graph:
        """Lookups of the codes, then of the pieces."""
        nodes = [
            helper.make_node("Gather", [f"{table}.codes", rows], [f"{name}.codes"]),
            helper.make_node("Cast", [f"{name}.codes"], [f"{name}.numbers"], to=TensorProto.INT32),
        ]
        own, parts = [f"{name}.numbers"], [f"{name}.found"]
        if len(self.places) > 1:
            own = [f"{name}.numbers_{index}" for index in range(len(self.places))]
            parts = [f"{name}.found_{index}" for index in range(len(self.places))]
            nodes.append(helper.make_node("Split", [f"{name}.numbers", f"{table}.many"], own, axis=-1))
        for index, (numbers, part) in enumerate(zip(own, parts, strict=True)):
            wanted, pieces = f"{name}.wanted_{index}", f"{name}.pieces_{index}"
            nodes += [
                helper.make_node("Add", [numbers, f"{table}.first_{index}"], [wanted]),
                helper.make_node("Gather", [f"{table}.book_{index}", wanted], [pieces]),
                helper.make_node("Reshape", [pieces, f"{table}.shape_{index}"], [part]),
            ]
        if len(parts) > 1:
            nodes.append(helper.make_node("Concat", parts, [f"{name}.found"], axis=-1))
        return nodes, []
