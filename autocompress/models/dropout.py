"""Dropout (Srivastava et al., JMLR 2014) that draws eight masks' worth of random bits at a time."""

from __future__ import annotations

import torch
from torch import nn

LEVELS = 256
"""A byte decides about a number, so its probability is a multiple of 1/256."""


class Dropout(nn.Module):
    """As `nn.Dropout`, with the probability rounded to 1/256 and the outputs scaled by just that.

    torch draws a number per element on one thread of a CPU; here eight elements share one draw of 64 bits.
    """

    def __init__(self, probability: float) -> None:
        """`probability` in [0, 1) of an element to become 0."""
        super().__init__()
        self.kept = round(LEVELS * (1 - probability))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The same shape and dtype; the inputs themselves in eval mode, or where nothing is dropped."""
        if not self.training or self.kept == LEVELS:
            return inputs
        words = torch.empty(-(-inputs.numel() // 8), dtype=torch.int64, device=inputs.device).random_(-(2**63), None)
        keep = words.view(torch.uint8)[: inputs.numel()].view(inputs.shape) < self.kept
        return inputs * keep.to(inputs.dtype).mul_(LEVELS / self.kept)
