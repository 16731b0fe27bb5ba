"""A linear layer that computes what its int8 export will: a static step of activations, and steps of weights."""

from __future__ import annotations

import numpy as np
import torch
from onnx import helper
from torch import nn

from autocompress.models.learned_step import rounded
from autocompress.models.packed_linear import Graph, initializers

ACTIVATION_LEVELS = 255
WEIGHT_LEVELS = 63
"""Seven of eight bits: without VNNI, two products of uint8 and int8 are added in 16 bits and would saturate (ADR 6)."""
SMALLEST = 1e-8
"""Of an output's largest weight: one of zeros must not divide by zero."""


def weight_scales(weight: torch.Tensor) -> torch.Tensor:
    """A scale per output of a weight (out, in): float32 (out,), > 0."""
    return weight.detach().abs().amax(dim=1).clamp_min(SMALLEST) / WEIGHT_LEVELS


def integer_weight(weight: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """The levels of a weight (out, in), whole numbers as floats."""
    return torch.round(weight.detach() / scales[:, None]).clamp(-WEIGHT_LEVELS, WEIGHT_LEVELS)


class QuantizedLinear(nn.Module):
    """Linear with uint8 activations (calibrated, per tensor, asymmetric) and int8 weights (symmetric).

    The activation step is static, so a row's score does not depend on its batch. Both kinds of steps are trained
    (`learned_step.py`): as factors `input_stretch` and `weight_stretch`, in logarithms, of what calibration and the
    weights say.
    """

    def __init__(self, linear: nn.Linear, low: float, high: float, *, per_channel: bool = True) -> None:
        """`low` and `high` bound the inputs seen in calibration; the range is widened to hold 0.

        Weights have a step per output, or one in all.
        """
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias, self.per_channel = linear.weight, linear.bias, per_channel
        low, high = min(low, 0.0), max(high, 0.0)
        span = max(high - low, 1e-6)
        self.zero_point = round(-low / span * ACTIVATION_LEVELS)
        # the end that asks for the larger step is a level: the ends of a symmetric range would lie half way between
        # two, where torch and the runtime round apart, and the values of a 4 bit table meet those ends often
        above = ACTIVATION_LEVELS - self.zero_point
        scale = max(span / ACTIVATION_LEVELS, -low / max(1, self.zero_point), high / max(1, above))
        # the very number that the file holds: a step that differs in its last bit sends halves elsewhere
        self.scale = float(np.nextafter(np.float32(scale), np.float32(np.inf)))
        self.input_stretch = nn.Parameter(torch.zeros(()))
        self.weight_stretch = nn.Parameter(torch.zeros(self.out_features if per_channel else 1))

    def input_step(self) -> torch.Tensor:
        """Float32 scalar."""
        return self.scale * self.input_stretch.exp()

    def weight_steps(self) -> torch.Tensor:
        """Float32 (out,)."""
        scales = weight_scales(self.weight)
        whole = scales if self.per_channel else scales.max().expand(self.out_features)
        return whole * self.weight_stretch.exp()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(n, in_features) -> (n, out_features), float32."""
        # as the runtime does it: divided, then rounded, then moved by the zero point. torch's own fake quantization
        # multiplies by an inverse and rounds after the move, so halves go elsewhere; the values of a packed table are
        # few, and one of them on a half is a difference in every row
        levels = ACTIVATION_LEVELS - self.zero_point
        quantized = rounded(inputs.float(), self.input_step(), -self.zero_point, levels)
        weight = rounded(self.weight, self.weight_steps()[:, None], -WEIGHT_LEVELS, WEIGHT_LEVELS)
        return nn.functional.linear(quantized, weight, self.bias)

    def packed_graph(self, name: str, source: str, output: str) -> Graph:
        """`QuantizeLinear` (the calibrated scale) and ONNX Runtime's `MatMulIntegerToFloat`: faster than float.

        The same layer as a QDQ pattern is not fused and is slower than float (`experiments/operators`).
        """
        steps = self.weight_steps().detach()
        arrays = {
            "int8": integer_weight(self.weight, steps).to(torch.int8).T.numpy(),
            "scales": steps.numpy(),
            "input_scale": self.input_step().detach().numpy(),
            "input_zero": np.array(self.zero_point, dtype=np.uint8),
        }
        inputs = [*(f"{name}.{key}" for key in ("input", "int8", "input_scale", "scales", "input_zero")), ""]
        if self.bias is not None:
            arrays["bias"] = self.bias.detach().numpy()
            inputs.append(f"{name}.bias")
        quantize = [source, f"{name}.input_scale", f"{name}.input_zero"]
        nodes = [
            helper.make_node("QuantizeLinear", quantize, [f"{name}.input"]),
            helper.make_node("MatMulIntegerToFloat", inputs, [output], domain="com.microsoft"),
        ]
        return nodes, initializers(name, arrays)
