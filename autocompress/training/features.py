"""The features of a model: what its head reads of a row, or, of a model with vectors, the user's and the item's."""

from __future__ import annotations

import torch
from torch import nn

from autocompress.errors import UserError
from autocompress.models.vectors import has_vectors, with_vectors


def with_features(dense: nn.Module, first: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (n, tasks), and features (n, k), of what a bank gives, float32 (n, width).

    `UserError` where the module has no `head` that is called with one tensor.
    """
    if has_vectors(dense):
        logits, user, item = with_vectors(dense, first)
        return logits, torch.cat([user, item], dim=1)
    if not hasattr(dense, "head"):
        raise UserError(
            "distillation of features needs a module whose last part is called `head`: set feature_weight, "
            "relational_weight and contrastive_weight to 0"
        )
    seen: list[torch.Tensor] = []
    hook = dense.get_submodule("head").register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        whole: torch.Tensor = dense(first)
    finally:
        hook.remove()
    return whole, seen[0]


def width_of(dense: nn.Module, width: int) -> int:
    """Columns of the features of a dense part that reads `width` columns."""
    training = dense.training
    with torch.no_grad():
        found = with_features(dense.eval(), torch.zeros(2, width))[1].shape[1]
    dense.train(training)
    return found
