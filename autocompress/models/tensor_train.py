"""A table as a train of three small cores: the digits of an id each choose a matrix, a row is their product.

Oseledets, SIAM J. Sci. Comput. 2011; for embeddings Yin et al., "TT-Rec", MLSys 2021.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from onnx import TensorProto, helper
from torch import nn

from autocompress.models.packed_linear import Graph, initializers
from autocompress.models.packed_table import embedded

CORES = 3


class TensorTrain(nn.Module):
    """With digits (i, j, k) of an id in `radices` and a dimension of `factors`, a row is `first`[i] `second`[j]
    `third`[k]: matrices (factors[0], rank), (rank, factors[1] rank) and (rank, factors[2]), stored in fp16."""

    def __init__(self, rows: int, dim: int, rank: int) -> None:
        super().__init__()
        self.rows, self.dim, self.rank = rows, dim, rank
        self.radices, self.factors = radices_of(rows), factors_of(dim)
        (n1, n2, n3), (d1, d2, d3) = self.radices, self.factors
        self.first = nn.Parameter(torch.zeros(n1, d1 * rank))
        self.second = nn.Parameter(torch.zeros(n2, rank * d2 * rank))
        self.third = nn.Parameter(torch.zeros(n3, rank * d3))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """ids int64 (...) -> float32 (..., dim)."""
        (_, n2, n3), (d1, d2, d3), rank = self.radices, self.factors, self.rank
        high = torch.div(ids, n3, rounding_mode="floor")
        head = torch.div(high, n2, rounding_mode="floor")
        first = embedded(self.first, head).view(-1, d1, rank)
        second = embedded(self.second, high - head * n2).view(-1, rank, d2 * rank)
        third = embedded(self.third, ids - high * n3).view(-1, rank, d3)
        joined = (first @ second).view(-1, d1 * d2, rank) @ third
        return joined.view(*ids.shape, self.dim)

    def stored_graph(self, name: str) -> Graph:
        """The cores, and what the digits are divided by."""
        (_, n2, n3), (d1, d2, d3), rank = self.radices, self.factors, self.rank
        halves = {core: getattr(self, core).detach().half().numpy() for core in ("first", "second", "third")}
        shapes = {"a": (d1, rank), "b": (rank, d2 * rank), "ab": (d1 * d2, rank), "c": (rank, d3), "all": (self.dim,)}
        arrays = {f"shape_{key}": np.array((0, 0, *shape), dtype=np.int64) for key, shape in shapes.items()}
        digits = {"middle": np.array(n2, dtype=np.int32), "last": np.array(n3, dtype=np.int32)}
        return [], initializers(name, {**halves, **arrays, **digits})

    def lookup_graph(self, table: str, rows: str, name: str) -> Graph:
        """Three lookups, two products."""
        nodes = [
            helper.make_node("Div", [rows, f"{table}.last"], [f"{name}.high"]),
            helper.make_node("Mod", [rows, f"{table}.last"], [f"{name}.digit_c"]),
            helper.make_node("Div", [f"{name}.high", f"{table}.middle"], [f"{name}.digit_a"]),
            helper.make_node("Mod", [f"{name}.high", f"{table}.middle"], [f"{name}.digit_b"]),
        ]
        for key, core in (("a", "first"), ("b", "second"), ("c", "third")):
            nodes += [
                helper.make_node("Gather", [f"{table}.{core}", f"{name}.digit_{key}"], [f"{name}.half_{key}"]),
                helper.make_node("Cast", [f"{name}.half_{key}"], [f"{name}.float_{key}"], to=TensorProto.FLOAT),
                helper.make_node("Reshape", [f"{name}.float_{key}", f"{table}.shape_{key}"], [f"{name}.{key}"]),
            ]
        return [
            *nodes,
            helper.make_node("MatMul", [f"{name}.a", f"{name}.b"], [f"{name}.joined"]),
            helper.make_node("Reshape", [f"{name}.joined", f"{table}.shape_ab"], [f"{name}.ab"]),
            helper.make_node("MatMul", [f"{name}.ab", f"{name}.c"], [f"{name}.whole"]),
            helper.make_node("Reshape", [f"{name}.whole", f"{table}.shape_all"], [f"{name}.found"]),
        ], []


def radices_of(rows: int) -> tuple[int, int, int]:
    """Three numbers, near each other, whose product is at least `rows`."""
    side = math.ceil(rows ** (1 / CORES) - 1e-9)
    second = math.ceil(math.sqrt(math.ceil(rows / side)))
    return math.ceil(rows / (side * second)), second, side


def factors_of(dim: int) -> tuple[int, int, int]:
    """Three factors of `dim`, as near to each other as it has them, ascending."""
    found = [
        (first, second, dim // (first * second))
        for first in range(1, dim + 1)
        for second in range(first, dim + 1)
        if dim % (first * second) == 0 and dim // (first * second) >= second
    ]
    return min(found, key=lambda each: each[2] - each[0])
