"""Models that score by a product of two vectors, of a user and of an item: what retrieval needs of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def has_vectors(dense: nn.Module) -> bool:
    """Whether a dense part offers `vectors(first) -> (user, item)`, (n, k) each, and a linear `head` of the product."""
    return hasattr(dense, "vectors")


def with_vectors(dense: Any, first: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits (n, tasks), and vectors (n, k) whose product rises as the first logit does, whatever the head's sign."""
    user, item = dense.vectors(first)
    logits = dense.head((user * item).sum(dim=1, keepdim=True))
    # as a linear layer: picked out of the weights, the factor would be a constant of the exported graph
    scaled = nn.functional.linear(user.reshape(-1, 1), dense.head.weight)[:, 0].reshape(-1, user.shape[1])
    return logits, scaled, item
