"""A linear layer whose weights alone are stored in few bits; it computes in float32.

The file holds packed codes and fp16 scales (or fp16 weights); ONNX Runtime unpacks them once, when it opens the file,
so that a row costs what it costs in float32. `MatMulNBits` would unpack them for every batch (`experiments/operators`).
"""

from __future__ import annotations

import numpy as np
import torch
from onnx import TensorProto, helper
from torch import nn

from autocompress.models.packed_linear import Graph, gemm, initializers
from autocompress.models.row_quantization import codes, fake_quantize_rows, pack, row_scales
from autocompress.models.unpacking import unpacking

BLOCK = 32
"""Inputs that share a scale, where they divide the width; else an output's weights all do."""


class WeightOnlyLinear(nn.Module):
    """Linear with weights of 16 (fp16), 8 or 4 bits; gradients pass straight through the rounding."""

    def __init__(self, linear: nn.Linear, bits: int) -> None:
        super().__init__()
        self.in_features, self.out_features, self.bits = linear.in_features, linear.out_features, bits
        self.weight, self.bias = linear.weight, linear.bias
        self.block = BLOCK if linear.in_features % BLOCK == 0 else linear.in_features

    def _blocks(self) -> torch.Tensor:
        return self.weight.reshape(-1, self.block)

    @property
    def bits_per_weight(self) -> float:
        """The scales of blocks counted."""
        return self.bits + (0.0 if self.bits == 16 else 16 / self.block)

    def rounded_weight(self) -> torch.Tensor:
        """The weight (out, in) as the file gives it back; the gradient passes straight through."""
        if self.bits == 16:
            return self.weight + (self.weight.half().float() - self.weight).detach()
        return fake_quantize_rows(self._blocks(), self.bits).view_as(self.weight)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(n, in_features) -> (n, out_features), float32."""
        return nn.functional.linear(inputs, self.rounded_weight(), self.bias)

    def packed_graph(self, name: str, source: str, output: str) -> Graph:
        """Unpacks constants, which are folded when the file is opened, into a plain `Gemm`."""
        weight, constants = f"{name}.float", list[TensorProto]()
        if self.bits == 16:
            arrays = {"half": self.weight.detach().half().numpy()}
            nodes = [helper.make_node("Cast", [f"{name}.half"], [weight], to=TensorProto.FLOAT)]
        else:
            blocks = self._blocks().detach()
            scales = row_scales(blocks, self.bits)
            packed = pack(codes(blocks, scales, self.bits), self.bits)
            shape = np.array([self.out_features, self.in_features], dtype=np.int64)
            arrays = {"codes": packed, "scales": scales.to(torch.float16).numpy(), "shape": shape}
            nodes, constants = unpacking(name, self.bits, self.block, f"{name}.codes", name)
            nodes += [
                helper.make_node("Cast", [f"{name}.scales"], [f"{name}.scale"], to=TensorProto.FLOAT),
                helper.make_node("Mul", [f"{name}.levels", f"{name}.scale"], [f"{name}.scaled"]),
                helper.make_node("Reshape", [f"{name}.scaled", f"{name}.shape"], [weight]),
            ]
        more_nodes, more_tensors = gemm(self.bias, name, source, weight, output)
        return [*nodes, *more_nodes], [*constants, *initializers(name, arrays), *more_tensors]
