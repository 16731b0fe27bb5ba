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

    def inherit(self, old: CrossLayer, columns: list[int]) -> None:
        """Takes the rows and columns of `old` that are kept; a lower rank comes from an SVD."""
        if _rank(self) == _rank(old) is not None:
            self.up.weight.copy_(old.up.weight[columns])
            self.up.bias.copy_(old.up.bias[columns])
            _weight(self.down).copy_(_weight(old.down)[:, columns])
            return
        weight = old.up.weight if isinstance(old.down, nn.Identity) else old.up.weight @ _weight(old.down)
        weight = weight[columns][:, columns]
        self.up.bias.copy_(old.up.bias[columns])
        if isinstance(self.down, nn.Identity):
            self.up.weight.copy_(weight)
            return
        left, scale, right = torch.linalg.svd(weight, full_matrices=False)
        rank = min(len(_weight(self.down)), len(scale))
        root = scale[:rank].sqrt()
        self.up.weight.zero_()
        self.up.weight[:, :rank] = left[:, :rank] * root
        _weight(self.down)[:rank] = root[:, None] * right[:rank]


def _rank(layer: CrossLayer) -> int | None:
    return None if isinstance(layer.down, nn.Identity) else len(_weight(layer.down))


def _weight(module: nn.Module) -> torch.Tensor:
    assert isinstance(module, nn.Linear)
    return module.weight
