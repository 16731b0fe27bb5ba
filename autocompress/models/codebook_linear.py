"""A linear layer whose weights are pieces of a shared book: a byte names as many neighbours as a piece is long.

Gong et al., arXiv:1412.6115; with pieces of one number the weight sharing of Han et al., ICLR 2016. The file holds
codes and an fp16 book; ONNX Runtime puts the weights together once, when it opens the file.
"""

from __future__ import annotations

import numpy as np
import torch
from onnx import TensorProto, helper
from torch import nn

from autocompress.models.packed_linear import Graph, gemm, initializers
from autocompress.models.product_codes import PIECES


class CodebookLinear(nn.Module):
    """Linear of `codes` uint8 (weights / piece,), which stay, and `book` float32 (PIECES, piece), which is trained.

    Pieces follow each other along the inputs of one output, then of the next; `piece` divides the number of weights.
    """

    def __init__(self, linear: nn.Linear, piece: int) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.bias = linear.bias
        self.codes: torch.Tensor
        self.register_buffer("codes", torch.zeros(linear.weight.numel() // piece, dtype=torch.uint8))
        self.book = nn.Parameter(torch.zeros(PIECES, piece))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(n, in_features) -> (n, out_features), float32."""
        book = self.book + (self.book.half().float() - self.book).detach()
        weight = nn.functional.embedding(self.codes.long(), book).view(self.out_features, self.in_features)
        return nn.functional.linear(inputs, weight, self.bias)

    def packed_graph(self, name: str, source: str, output: str) -> Graph:
        """A lookup of constants, which is folded when the file is opened, into a plain `Gemm`."""
        arrays = {
            "codes": self.codes.numpy(),
            "half": self.book.detach().half().numpy(),
            "shape": np.array([self.out_features, self.in_features], dtype=np.int64),
        }
        nodes = [
            helper.make_node("Cast", [f"{name}.codes"], [f"{name}.wanted"], to=TensorProto.INT32),
            helper.make_node("Gather", [f"{name}.half", f"{name}.wanted"], [f"{name}.pieces"]),
            helper.make_node("Cast", [f"{name}.pieces"], [f"{name}.floats"], to=TensorProto.FLOAT),
            helper.make_node("Reshape", [f"{name}.floats", f"{name}.shape"], [f"{name}.float"]),
        ]
        more_nodes, more_tensors = gemm(self.bias, name, source, f"{name}.float", output)
        return [*nodes, *more_nodes], [*initializers(name, arrays), *more_tensors]
