"""The losses of an `Objective`, task by task: labels, and the teacher's logits softened by a temperature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from autocompress.errors import not_allowed
from autocompress.training.distillation import softened_binary


def task_losses(
    logits: torch.Tensor,
    labels: torch.Tensor,
    soft: torch.Tensor | None,
    share: float,
    temperature: torch.Tensor,
    weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """(tasks,): the batch mean of each task. Inputs float32 (n, tasks); `soft` are the teacher's logits.

    Where there are fewer labels than rows, the last rows have none: the teacher alone counts there.
    `share` in [0, 1] is the teacher's, at `temperature` (tasks,). `weights` (n,) count a row more or less than once:
    the mean is of weight times loss, not divided by their sum, so that weights of mean 1 leave the size of a step.
    With `soft` None only labels count.
    """
    if soft is None or share == 0.0:
        return _hard(logits, labels, weights)
    softened = softened_binary(logits, soft, temperature, weights)
    return softened if share == 1.0 else (1.0 - share) * _hard(logits, labels, weights) + share * softened


def _hard(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    each = 1.0 if weights is None else weights[:, None]
    return (each * binary_cross_entropy_with_logits(logits[: len(labels)], labels, reduction="none")).mean(0)


def temperatures(asked: float | Mapping[str, float], tasks: Sequence[str]) -> torch.Tensor:
    """(tasks,), 1 for a task that is not named. `UserError` where a name is no task's."""
    if not isinstance(asked, Mapping):
        return torch.full((len(tasks),), float(asked))
    for name in asked:
        if name not in tasks:
            raise not_allowed(f"temperature names {name!r}: no task", name, tasks)
    return torch.tensor([float(asked.get(task, 1.0)) for task in tasks])
