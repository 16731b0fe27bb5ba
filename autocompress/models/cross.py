"""Cross network of DCNv2 (Wang et al., WWW 2021), full or low rank."""

from __future__ import annotations

import torch
from torch import nn


class CrossLayer(nn.Module):
    """x0 * (W x + b) + x; with a rank, W = `up` `down`."""

    def __init__(self, width: int, rank: int | None) -> None:
        super().__init__()
        self.down = nn.Linear(width, rank, bias=False) if rank else nn.Identity()
        self.up = nn.Linear(rank or width, width)

    def forward(self, first: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Both (n, width) in, (n, width) out."""
        return torch.addcmul(hidden, first, self.up(self.down(hidden)))
