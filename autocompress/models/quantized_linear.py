"""A linear layer that computes what its int8 export will: static activation scale, one weight scale per output."""

from __future__ import annotations

import numpy as np
import torch
from onnx import helper
from torch import nn

from autocompress.models.packed_linear import Graph, initializers

ACTIVATION_LEVELS = 255
WEIGHT_LEVELS = 63
"""Seven of eight bits: without VNNI, two products of uint8 and int8 are added in 16 bits and would saturate (ADR 6)."""


def weight_scales(weight: torch.Tensor) -> torch.Tensor:
    """A scale per output of a weight (out, in): float32 (out,), > 0."""
    return weight.detach().abs().amax(dim=1).clamp_min(1e-8) / WEIGHT_LEVELS


def integer_weight(weight: torch.Tensor) -> torch.Tensor:
    """The levels of a weight (out, in), whole numbers as floats."""
    scales = weight_scales(weight)[:, None]
    return torch.round(weight.detach() / scales).clamp(-WEIGHT_LEVELS, WEIGHT_LEVELS)


def rounded_weight(weight: torch.Tensor) -> torch.Tensor:
    """A weight (out, in) as its levels give it back; the gradient passes straight through."""
    return weight + (integer_weight(weight) * weight_scales(weight)[:, None] - weight).detach()


class QuantizedLinear(nn.Module):
    """Linear with uint8 activations (calibrated, per tensor, asymmetric) and int8 weights (per channel, symmetric).

    Gradients pass straight through, clipped to the activation range (Jacob et al., CVPR 2018). The activation scale
    is static, so a row's score does not depend on its batch.
    """

    def __init__(self, linear: nn.Linear, low: float, high: float) -> None:
        """`low` and `high` bound the inputs seen in calibration; the range is widened to hold 0."""
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias
        low, high = min(low, 0.0), max(high, 0.0)
        span = max(high - low, 1e-6)
        self.zero_point = round(-low / span * ACTIVATION_LEVELS)
        # the end that asks for the larger step is a level: the ends of a symmetric range would lie half way between
        # two, where torch and the runtime round apart, and the values of a 4 bit table meet those ends often
        above = ACTIVATION_LEVELS - self.zero_point
        scale = max(span / ACTIVATION_LEVELS, -low / max(1, self.zero_point), high / max(1, above))
        # the very number that the file holds: a step that differs in its last bit sends halves elsewhere
        self.scale = float(np.nextafter(np.float32(scale), np.float32(np.inf)))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(n, in_features) -> (n, out_features), float32."""
        # as the runtime does it: divided, then rounded, then moved by the zero point. torch's own fake quantization
        # multiplies by an inverse and rounds after the move, so halves go elsewhere; the values of a packed table are
        # few, and one of them on a half is a difference in every row
        low, high = -self.zero_point * self.scale, (ACTIVATION_LEVELS - self.zero_point) * self.scale
        inside = inputs.float().clamp(low, high)
        levels = torch.round(inside.detach() / inside.new_tensor(self.scale))
        levels = levels.clamp(-self.zero_point, ACTIVATION_LEVELS - self.zero_point)
        quantized = inside + (levels * self.scale - inside).detach()
        return nn.functional.linear(quantized, rounded_weight(self.weight), self.bias)

    def packed_graph(self, name: str, source: str, output: str) -> Graph:
        """`QuantizeLinear` (the calibrated scale) and ONNX Runtime's `MatMulIntegerToFloat`: faster than float.

        The same layer as a QDQ pattern is not fused and is slower than float (`experiments/operators`).
        """
        arrays = {
            "int8": integer_weight(self.weight).to(torch.int8).T.numpy(),
            "scales": weight_scales(self.weight).numpy(),
            "input_scale": np.array(self.scale, dtype=np.float32),
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
