"""Which parameters a recovery trains: everything, or a few that are cheap to move and leave the rest as it was.

What adapts a large model to what was done to it can be small: biases (Ben Zaken et al., "BitFit", ACL 2022), or
low-rank adapters (Hu et al., "LoRA", ICLR 2022), which are folded into the weights afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.utils import parametrize

from autocompress.compress.plan import Part
from autocompress.models.recommender import Recommender

RANK = 8
NORMS = (nn.LayerNorm, nn.BatchNorm1d)


class _LowRank(nn.Module):
    """Adds `up` `down` to a weight (out, in); `up` starts at 0, so that nothing changes at first."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        out, into = weight.shape
        rank = min(RANK, out, into)
        self.down = nn.Parameter(torch.randn(rank, into) / into**0.5)
        self.up = nn.Parameter(torch.zeros(out, rank))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight, adapted."""
        return weight + self.up @ self.down


@contextmanager
def trained_parts(model: Recommender, parts: Sequence[Part]) -> Iterator[int]:
    """Inside, only those parts have gradients; gives how many numbers that are. Adapters are folded in at the end.

    `steps` are those of quantization that are trained, `codebooks` the pieces of tables and of dense weights.
    """
    if "everything" in parts:
        yield sum(parameter.numel() for parameter in model.parameters())
        return
    adapted = _adapt(model.dense) if "adapters" in parts else []
    chosen = _chosen(model, set(parts))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in chosen)
    try:
        yield sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    finally:
        for module in adapted:
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
        model.requires_grad_(True)


def _adapt(dense: nn.Module) -> list[nn.Module]:
    """Low-rank adapters on every layer that has a weight (out, in)."""
    layers = [
        module
        for module in dense.modules()
        if hasattr(module, "in_features") and isinstance(getattr(module, "weight", None), nn.Parameter)
    ]
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", _LowRank(layer.get_parameter("weight")))
    return layers


def _chosen(model: Recommender, parts: set[Part]) -> set[str]:
    norms = {name for name, module in model.named_modules() if isinstance(module, NORMS)}
    found = set()
    for name in dict(model.named_parameters()):
        parent, _, leaf = name.rpartition(".")
        of: set[Part] = {"adapters"} if ".parametrizations." in name and leaf in ("up", "down") else set()
        of |= {"tables"} if name.startswith(("bank.tables.", "bank.maps.", "bank.apart.")) else set()
        of |= {"dense"} if name.startswith("dense.") else set()
        of |= {"head"} if name.startswith("dense.head.") else set()
        of |= {"biases"} if leaf == "bias" or name == "bank.constants" else set()
        of |= {"norms"} if parent in norms else set()
        of |= {"steps"} if name.startswith("bank.steps.") or leaf.endswith("_stretch") else set()
        of |= {"codebooks"} if name.startswith("bank.apart.") or leaf == "book" else set()
        if of & parts:
            found.add(name)
    return found
