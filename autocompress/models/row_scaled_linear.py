"""A linear layer in int8 whose activations have a scale per row: nothing is calibrated, no batch shares anything."""

from __future__ import annotations

import numpy as np
import torch
from onnx import TensorProto, helper
from torch import nn

from autocompress.models.learned_step import rounded
from autocompress.models.packed_linear import Graph, initializers
from autocompress.models.quantized_linear import WEIGHT_LEVELS, integer_weight, weight_scales

LEVELS = 127
SMALLEST = 1e-8
"""Of a row's largest magnitude: a row of zeros must not divide by zero."""


class RowScaledLinear(nn.Module):
    """Linear with int8 activations (symmetric, a scale per row) and int8 weights (a scale per output).

    A row's scale is its own largest magnitude, so its score does not depend on its batch; `DynamicQuantizeLinear` takes
    one scale for all of them. Gradients pass straight through.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(n, in_features) -> (n, out_features), float32."""
        scale = inputs.detach().abs().amax(dim=1, keepdim=True).clamp_min(SMALLEST) / LEVELS
        quantized = inputs + (torch.round(inputs / scale) * scale - inputs).detach()
        weight = rounded(self.weight, weight_scales(self.weight)[:, None], -WEIGHT_LEVELS, WEIGHT_LEVELS)
        return nn.functional.linear(quantized, weight, self.bias)

    def packed_graph(self, name: str, source: str, output: str) -> Graph:
        """The largest magnitude of each row, integer product, both scales."""
        arrays = {
            "int8": integer_weight(self.weight, weight_scales(self.weight)).to(torch.int8).T.numpy(),
            "scales": weight_scales(self.weight).numpy(),
            "axis": np.array([1], dtype=np.int64),
            "least": np.array(SMALLEST, dtype=np.float32),
            "levels": np.array(LEVELS, dtype=np.float32),
        }
        nodes = [
            helper.make_node("Abs", [source], [f"{name}.size"]),
            helper.make_node("ReduceMax", [f"{name}.size", f"{name}.axis"], [f"{name}.largest"], keepdims=1),
            helper.make_node("Max", [f"{name}.largest", f"{name}.least"], [f"{name}.top"]),
            helper.make_node("Div", [f"{name}.top", f"{name}.levels"], [f"{name}.row_scale"]),
            helper.make_node("Div", [source, f"{name}.row_scale"], [f"{name}.scaled"]),
            helper.make_node("Round", [f"{name}.scaled"], [f"{name}.rounded"]),
            helper.make_node("Cast", [f"{name}.rounded"], [f"{name}.codes"], to=TensorProto.INT8),
            helper.make_node("MatMulInteger", [f"{name}.codes", f"{name}.int8"], [f"{name}.sums"]),
            helper.make_node("Cast", [f"{name}.sums"], [f"{name}.products"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}.products", f"{name}.row_scale"], [f"{name}.of_rows"]),
        ]
        last = output if self.bias is None else f"{name}.unbiased"
        nodes.append(helper.make_node("Mul", [f"{name}.of_rows", f"{name}.scales"], [last]))
        if self.bias is not None:
            arrays["bias"] = self.bias.detach().numpy()
            nodes.append(helper.make_node("Add", [last, f"{name}.bias"], [output]))
        return nodes, initializers(name, arrays)
