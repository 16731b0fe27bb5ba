"""A table of which each row is the sum of two shared ones: that of its id's quotient, and that of its remainder.

Shi et al., "Compositional Embeddings Using Complementary Partitions", KDD 2020. No two ids have both in common.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from onnx import TensorProto, helper
from torch import nn

from autocompress.models.packed_linear import Graph, initializers
from autocompress.models.packed_table import embedded


class Compositional(nn.Module):
    """Row i is `quotients`[i // divisor] + `remainders`[i % divisor], both stored in fp16."""

    def __init__(self, rows: int, dim: int, divisor: int) -> None:
        super().__init__()
        self.rows, self.dim, self.divisor = rows, dim, divisor
        self.quotients = nn.Parameter(torch.zeros(math.ceil(rows / divisor), dim))
        self.remainders = nn.Parameter(torch.zeros(min(rows, divisor), dim))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """ids int64 (...) -> float32 (..., dim)."""
        quotient = torch.div(ids, self.divisor, rounding_mode="floor")
        return embedded(self.quotients, quotient) + embedded(self.remainders, ids - quotient * self.divisor)

    def stored_graph(self, name: str) -> Graph:
        """Both parts."""
        arrays = {
            "quotients": self.quotients.detach().half().numpy(),
            "remainders": self.remainders.detach().half().numpy(),
            "divisor": np.array(self.divisor, dtype=np.int32),
        }
        return [], initializers(name, arrays)

    def lookup_graph(self, table: str, rows: str, name: str) -> Graph:
        """Two lookups and their sum."""
        return [
            helper.make_node("Div", [rows, f"{table}.divisor"], [f"{name}.quotient"]),
            helper.make_node("Mod", [rows, f"{table}.divisor"], [f"{name}.remainder"]),
            helper.make_node("Gather", [f"{table}.quotients", f"{name}.quotient"], [f"{name}.half_quotient"]),
            helper.make_node("Gather", [f"{table}.remainders", f"{name}.remainder"], [f"{name}.half_remainder"]),
            helper.make_node("Cast", [f"{name}.half_quotient"], [f"{name}.first"], to=TensorProto.FLOAT),
            helper.make_node("Cast", [f"{name}.half_remainder"], [f"{name}.second"], to=TensorProto.FLOAT),
            helper.make_node("Add", [f"{name}.first", f"{name}.second"], [f"{name}.found"]),
        ], []
