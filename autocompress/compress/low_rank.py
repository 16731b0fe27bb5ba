"""Dense layers as products of two thin ones, from an SVD, weighted by the activations that the layer sees.

An SVD of W keeps what is large in W; what counts is W x, so W is multiplied by a square root of the inputs' second
moments first (Chen et al., "DRONE: Data-aware Low-rank Compression", NeurIPS 2021). The task heads stay whole.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal

import torch
from pydantic import Field as Limits
from torch import nn

from autocompress.compress.linear_layers import inputs_of_layers, replaced
from autocompress.compress.transform import Context, Record
from autocompress.models.recommender import Recommender
from autocompress.schema import Frozen

MULTIPLE = 8
"""Ranks are rounded to it: vector instructions work on 8 or 16 numbers at a time."""
RIDGE = 1e-4
"""Added to the second moments, as a share of their mean: inputs that are never seen still count a little."""


class LowRank(Frozen):
    """Every linear layer but those whose outputs are logits keeps the share `keep` of its weights, in two factors.

    A layer of which that is less than one rank of `MULTIPLE`, or no less than it has, stays as it is.
    """

    kind: Literal["low_rank"] = "low_rank"
    follows: ClassVar[frozenset[str]] = frozenset({"rows", "hashing", "fields", "dimensions", "channels"})
    keep: float = Limits(gt=0.0, lt=1.0)
    weighted: bool = Limits(True, description="by the activations of a sample, else a plain SVD")

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `ranks`, {layer: rank} of every layer that is replaced."""
        seen = inputs_of_layers(model, context)
        ranks = {}
        with torch.no_grad():
            for name, inputs in seen.items():
                layer = model.dense.get_submodule(name)
                assert isinstance(layer, nn.Linear)
                rank = rank_of(layer, self.keep)
                if rank is None:
                    continue
                ranks[name] = rank
                up, down = factors(layer.weight, rank, inputs if self.weighted else None)
                thin = replaced(model.dense, name, partial(_thin, rank=rank))
                thin.get_parameter("0.weight").copy_(down)
                thin.get_parameter("1.weight").copy_(up)
                if layer.bias is not None:
                    thin.get_parameter("1.bias").copy_(layer.bias)
        return {"ranks": ranks}

    def restore(self, model: Recommender, record: Record) -> None:
        """Replaces the recorded layers."""
        for name, rank in record["ranks"].items():
            replaced(model.dense, name, partial(_thin, rank=rank))

    def keeps(self) -> str | None:
        """Share of the weights."""
        return f"{100 * self.keep:.3g} % of dense weights"

    def storage_bits(self) -> int | None:
        """Nothing is quantized."""
        return None


def rank_of(layer: nn.Linear, keep: float) -> int | None:
    """The rank at which both factors hold `keep` of the layer's weights; None where there is no such rank."""
    rows, columns = layer.weight.shape
    rank = round(keep * rows * columns / (rows + columns) / MULTIPLE) * MULTIPLE
    return rank if rank and rank * (rows + columns) < rows * columns else None


def factors(weight: torch.Tensor, rank: int, inputs: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """(out, rank) and (rank, in) whose product is nearest to `weight` (out, in): on `inputs` (n, in), or as it is."""
    if inputs is None:
        left, scale, right = torch.linalg.svd(weight, full_matrices=False)
        root = scale[:rank].sqrt()
        return left[:, :rank] * root, root[:, None] * right[:rank]
    moments = inputs.double().T @ inputs.double() / len(inputs)
    moments.diagonal().add_(RIDGE * moments.diagonal().mean() + 1e-12)
    root = torch.linalg.cholesky(moments)
    left, scale, right = torch.linalg.svd(weight.double() @ root, full_matrices=False)
    half = scale[:rank].sqrt()
    down = torch.linalg.solve_triangular(root, half[:, None] * right[:rank], left=False, upper=False)
    return (left[:, :rank] * half).float(), down.float()


def _thin(layer: nn.Linear, rank: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(layer.in_features, rank, bias=False),
        nn.Linear(rank, layer.out_features, bias=layer.bias is not None),
    )
