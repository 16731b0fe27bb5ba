"""A linear layer that computes what its int8 export will: static activation scale, one weight scale per output."""

from __future__ import annotations

import torch
from torch import nn

ACTIVATION_LEVELS = 255
WEIGHT_LEVELS = 63
"""Seven of eight bits: without VNNI, two products of uint8 and int8 are added in 16 bits and would saturate (ADR 6)."""


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
        self.scale = max(span / ACTIVATION_LEVELS, -low / max(1, self.zero_point), high / max(1, above))

    def weight_scales(self) -> torch.Tensor:
        """Float32 (out_features,), > 0."""
        return self.weight.detach().abs().amax(dim=1).clamp_min(1e-8) / WEIGHT_LEVELS

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(n, in_features) -> (n, out_features), float32."""
        quantized = torch.fake_quantize_per_tensor_affine(
            inputs.float(), self.scale, self.zero_point, 0, ACTIVATION_LEVELS
        )
        zeros = torch.zeros(self.out_features, dtype=torch.int32, device=self.weight.device)
        weight = torch.fake_quantize_per_channel_affine(
            self.weight, self.weight_scales(), zeros, 0, -WEIGHT_LEVELS, WEIGHT_LEVELS
        )
        return nn.functional.linear(quantized, weight, self.bias)
