"""A linear layer of which single weights are gone: the file holds the others, and how far each is from the last."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import nn

from autocompress.models.mask_revision import SETTLED, Revision, masks, two_of_four
from autocompress.models.packed_linear import Graph, gemm, initializers

FARTHEST = 255
"""Largest gap between two stored weights, of a byte: wider ones are bridged by stored zeros."""
FIRST_SCORE = 1e-2
"""Of a weight of the layer's mean magnitude: what decides between two that have not moved yet."""


class SparseLinear(nn.Module):
    """Linear with `mask` (out, in), 1 where a weight is; weights are rounded to fp16, gradients pass straight through.

    What is masked keeps its value. Without a `revision` it gets no gradient; with one it goes on learning behind its
    mask, which keeps the weights of largest magnitude, or, `by_movement`, those whose `scores` are highest: they rise
    where training moves a weight away from 0 (Sanh et al., "Movement Pruning", NeurIPS 2020).
    """

    def __init__(self, linear: nn.Linear, revision: Revision | None = None, *, by_movement: bool = False) -> None:
        """`by_movement` needs a `revision`."""
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias
        self.revision = revision
        self.reached: torch.Tensor
        self.register_buffer("reached", torch.zeros(()))
        self.mask: torch.Tensor
        self.register_buffer("mask", torch.ones_like(linear.weight))
        size = linear.weight.detach().abs()
        self.scores = nn.Parameter(FIRST_SCORE * size / size.mean().clamp_min(1e-12)) if by_movement else None

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(n, in_features) -> (n, out_features), float32."""
        rounded = self.weight + (self.weight.half().float() - self.weight).detach()
        kept = rounded * self.mask
        if self.revision is not None:
            kept = kept + (1.0 - self.mask) * (self.weight - self.weight.detach())
        if self.scores is not None:
            kept = kept + self.weight.detach() * (self.scores - self.scores.detach())
        return nn.functional.linear(inputs, kept, self.bias)

    @torch.no_grad()
    def revise(self, progress: float) -> None:
        """Chooses the weights that stay anew; what one training has reached the next does not undo."""
        reached = float(self.reached)
        if self.revision is None or reached >= 1.0 or progress < reached:
            return
        if min(progress, SETTLED) > reached or progress == 0.0:
            score = self.weight.abs() if self.scores is None else self.scores
            if self.revision.two_of_four:
                self.mask.copy_(two_of_four(score))
            else:
                (mask,) = masks([score], self.revision.sparsity(progress))
                self.mask.copy_(mask)
        self.reached.fill_(progress)

    def packed_graph(self, name: str, source: str, output: str) -> Graph:
        """Scatters the weights into zeros, which is done once, when the file is opened, into a plain `Gemm`."""
        gaps, places = gaps_of(self.mask.detach().flatten().numpy() > 0)
        values = (self.weight.detach() * self.mask).half().flatten().numpy()[places]
        arrays = {
            "gaps": gaps,
            "values": values,
            "size": np.array([self.weight.numel()], dtype=np.int64),
            "shape": np.array(self.weight.shape, dtype=np.int64),
            "axis": np.array(0, dtype=np.int64),
        }
        nodes = [
            helper.make_node("ConstantOfShape", [f"{name}.size"], [f"{name}.zeros"]),
            helper.make_node("Cast", [f"{name}.gaps"], [f"{name}.steps"], to=TensorProto.INT64),
            helper.make_node("CumSum", [f"{name}.steps", f"{name}.axis"], [f"{name}.places"]),
            helper.make_node("Cast", [f"{name}.values"], [f"{name}.floats"], to=TensorProto.FLOAT),
            helper.make_node(
                "ScatterElements", [f"{name}.zeros", f"{name}.places", f"{name}.floats"], [f"{name}.flat"], axis=0
            ),
            helper.make_node("Reshape", [f"{name}.flat", f"{name}.shape"], [f"{name}.float"]),
        ]
        more_nodes, more_tensors = gemm(self.bias, name, source, f"{name}.float", output)
        return [*nodes, *more_nodes], [*initializers(name, arrays), *more_tensors]


def gaps_of(there: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Of bools (n,): how far each stored place is from the one before it (the first from 0), and the places, ascending.

    Where two that are True lie farther apart than `FARTHEST`, places between them are stored, too.
    """
    places = np.flatnonzero(there)
    before = np.concatenate([[0], places[:-1]]) if len(places) else places
    bridges = np.maximum(0, (places - before - 1) // FARTHEST)
    # after k bridges of FARTHEST steps each the place itself is at most FARTHEST away
    number = np.repeat(np.arange(len(places)), bridges)
    first = np.concatenate([[0], np.cumsum(bridges)[:-1]]) if len(places) else places
    step = np.arange(len(number)) - first[number] + 1 if len(number) else number
    stored = np.sort(np.concatenate([places, before[number] + FARTHEST * step])).astype(np.int64)
    return np.diff(stored, prepend=0).astype(np.uint8), stored
