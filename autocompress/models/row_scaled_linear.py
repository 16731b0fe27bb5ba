"""A linear layer in int8 whose activations have a scale per row: nothing is calibrated, no batch shares anything."""

from __future__ import annotations

import numpy as np
import torch
from onnx import helper
from torch import nn

from autocompress.models.learned_step import rounded
from autocompress.models.packed_linear import Graph, initializers
from autocompress.models.quantized_linear import WEIGHT_LEVELS, integer_weight, weight_scales

ZERO, LEVELS = 128, 127
"""The code of 0, and the largest one above it."""
STEP = np.array(1 / LEVELS, dtype=np.float32)
"""Of a row that is divided by its largest magnitude."""
SMALLEST = 1e-8
"""Of a row's largest magnitude: a row of zeros must not divide by zero."""


class RowScaledLinear(nn.Module):
    """Linear with 8 bit activations (symmetric, a scale per row) and int8 weights (a scale per output).

    A row's scale is its own largest magnitude, so its score does not depend on its batch; `DynamicQuantizeLinear` takes
    one scale for all of them. Gradients pass straight through.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(n, in_features) -> (n, out_features), float32."""
        top = inputs.detach().abs().amax(dim=1, keepdim=True).clamp_min(SMALLEST)
        quantized = rounded(inputs / top, torch.from_numpy(STEP).to(inputs.device), -ZERO, LEVELS)
        weight = rounded(self.weight, weight_scales(self.weight)[:, None], -WEIGHT_LEVELS, WEIGHT_LEVELS)
        products = nn.functional.linear(quantized, weight) * top
        return products if self.bias is None else products + self.bias

    def packed_graph(self, name: str, source: str, output: str) -> Graph:
        """Rows divided by their largest magnitude, then quantized by one constant step, which ONNX Runtime is fast at.

        `MatMulInteger` of int8 by int8 takes eleven times as long (`experiments/operators`).
        """
        scales = weight_scales(self.weight)
        arrays = {
            "int8": integer_weight(self.weight, scales).to(torch.int8).T.numpy(),
            "scales": scales.numpy(),
            "axis": np.array([1], dtype=np.int64),
            "least": np.array(SMALLEST, dtype=np.float32),
            "step": STEP,
            "zero": np.array(ZERO, dtype=np.uint8),
        }
        inputs = [*(f"{name}.{key}" for key in ("codes", "int8", "step", "scales", "zero")), ""]
        last = output if self.bias is None else f"{name}.unbiased"
        nodes = [
            helper.make_node("Abs", [source], [f"{name}.size"]),
            helper.make_node("ReduceMax", [f"{name}.size", f"{name}.axis"], [f"{name}.largest"], keepdims=1),
            helper.make_node("Max", [f"{name}.largest", f"{name}.least"], [f"{name}.top"]),
            helper.make_node("Div", [source, f"{name}.top"], [f"{name}.shares"]),
            helper.make_node("QuantizeLinear", [f"{name}.shares", f"{name}.step", f"{name}.zero"], [f"{name}.codes"]),
            helper.make_node("MatMulIntegerToFloat", inputs, [f"{name}.products"], domain="com.microsoft"),
            helper.make_node("Mul", [f"{name}.products", f"{name}.top"], [last]),
        ]
        if self.bias is not None:
            arrays["bias"] = self.bias.detach().numpy()
            nodes.append(helper.make_node("Add", [last, f"{name}.bias"], [output]))
        return nodes, initializers(name, arrays)
