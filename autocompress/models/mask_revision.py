"""Masks that are revised while a model is trained: what is gone may return, and more may go step by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

from torch import nn

SETTLED = 0.7
"""Share of the training after which no mask changes, so that what is left can settle."""


@dataclass(frozen=True)
class Revision:
    """From the share `first` of weights gone to the share `last`, along a cubic (Zhu and Gupta, arXiv:1710.01878).

    With both alike as many are gone at every time, but not always the same.
    """

    first: float
    last: float

    def sparsity(self, progress: float) -> float:
        """Share that is gone at `progress`, in [0, 1], of the training."""
        left = 1.0 - min(1.0, progress / SETTLED)
        return self.last + (self.first - self.last) * left**3


@runtime_checkable
class Revised(Protocol):
    """A module whose mask changes in training."""

    def revise(self, progress: float) -> None:
        """Called now and then with the share of the training that is done, and at its end with 1."""


def revised(model: nn.Module) -> Iterator[Revised]:
    """The modules of a model that are to be told."""
    return (cast(Revised, module) for module in model.modules() if isinstance(module, Revised))
