"""Masks that are revised while a model is trained: what is gone may return, and more may go step by step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

import torch
from torch import nn

GROUP, GROUP_KEPT = 4, 2
SETTLED = 0.7
"""Share of the training after which no mask changes, so that what is left can settle."""


@dataclass(frozen=True)
class Revision:
    """From the share `first` of weights gone to the share `last`, along a cubic (Zhu and Gupta, arXiv:1710.01878).

    With both alike as many are gone at every time, but not always the same. With `two_of_four` it is two of every four
    at every time.
    """

    first: float
    last: float
    two_of_four: bool = False

    def sparsity(self, progress: float) -> float:
        """Share that is gone at `progress`, in [0, 1], of the training."""
        left = 1.0 - min(1.0, progress / SETTLED)
        return self.last + (self.first - self.last) * left**3


def masks(scores: Sequence[torch.Tensor], sparsity: float) -> list[torch.Tensor]:
    """Masks of tensors that are compared with each other: 0 at the share `sparsity` of all that scores lowest."""
    every = torch.cat([score.flatten() for score in scores]) if scores else torch.empty(0)
    kept = torch.zeros(len(every))
    kept[every.topk(len(every) - round(sparsity * len(every))).indices] = 1.0
    parts = torch.split(kept, [score.numel() for score in scores]) if scores else ()
    return [part.view(score.shape) for part, score in zip(parts, scores, strict=True)]


def two_of_four(scores: torch.Tensor) -> torch.Tensor:
    """Mask (out, in) of the two highest of every four neighbours in a row; what is over at its end stays."""
    whole = scores.shape[1] // GROUP * GROUP
    groups = scores[:, :whole].reshape(len(scores), -1, GROUP)
    mask = torch.ones_like(scores)
    best = groups.topk(GROUP_KEPT, dim=2).indices
    mask[:, :whole] = torch.zeros_like(groups).scatter(2, best, 1.0).reshape(len(scores), whole)
    return mask


@runtime_checkable
class Revised(Protocol):
    """A module whose mask changes in training."""

    def revise(self, progress: float) -> None:
        """Called now and then with the share of the training that is done, and at its end with 1."""


def revised(model: nn.Module) -> Iterator[Revised]:
    """The modules of a model that are to be told."""
    return (cast(Revised, module) for module in model.modules() if isinstance(module, Revised))
