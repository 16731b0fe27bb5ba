"""Models that score by a product of two vectors, of a user and of an item: what retrieval needs of them."""

from __future__ import annotations

from typing import Protocol, TypeGuard

import torch
from torch import nn


class WithVectors(Protocol):
    """The dense part of such a model: `head` makes logits (n, tasks) of the product (n, 1)."""

    head: nn.Linear
    item_fields: tuple[int, ...]
    """Places of the inputs that the item's vector is made of, its id first."""

    def vectors(self, first: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Of what a bank gives, float32 (n, width): the user's vector and the item's, (n, k) each."""


def has_vectors(dense: object) -> TypeGuard[WithVectors]:
    """Whether a dense part offers `vectors`."""
    return hasattr(dense, "vectors")


def with_vectors(dense: WithVectors, first: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits (n, tasks), and vectors (n, k) whose product rises as the first logit does, whatever the head's sign."""
    user, item = dense.vectors(first)
    logits = dense.head((user * item).sum(dim=1, keepdim=True))
    # as a linear layer: picked out of the weights, the factor would be a constant of the exported graph
    scaled = nn.functional.linear(user.reshape(-1, 1), dense.head.weight)[:, 0].reshape(-1, user.shape[1])
    return logits, scaled, item
