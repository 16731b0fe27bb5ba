"""In-batch negatives: the items of the other pairs of a batch, their popularity taken out again."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from autocompress.data.negatives import log_q
from autocompress.data.store import Dataset
from autocompress.errors import UserError
from autocompress.models.recommender import Recommender
from autocompress.models.vectors import has_vectors
from autocompress.training.distillation import softened_softmax


def in_batch_logits(scores: torch.Tensor, items: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    """Logits (n, n) whose row i is a softmax over the batch's items with item i as its target.

    `scores` float (n, n): of user i with the item of pair j; `items` int64 (n,); `log_q` float (number of items,): log
    of the probability of each item to stand in a batch. An item that is drawn in proportion to its popularity is a
    negative as often as it is popular; taking log q away makes the scores those of a softmax over all items (Yi et al.,
    "Sampling-Bias-Corrected Neural Modeling", RecSys 2019). Where another pair has row i's item, it is masked (-inf):
    it is no negative.
    """
    again = (items[:, None] == items[None, :]) & ~torch.eye(len(items), dtype=torch.bool, device=items.device)
    return (scores - log_q[items][None, :]).masked_fill(again, float("-inf"))


def item_log_q(model: Recommender, dataset: Dataset) -> torch.Tensor:
    """Log q, float32 (item ids,), of the first item field among the positive training rows of the first task.

    `UserError` where the model has no vectors of users and items.
    """
    if not has_vectors(model.dense):
        raise UserError(
            "in_batch_weight: only a model with vectors of users and items (teacher=two_tower, sasrec) has in-batch "
            "negatives"
        )
    field = model.dense.item_fields[0]
    positive = np.asarray(dataset.labels("train")[:, 0] == 1)
    counts = np.bincount(dataset.ids("train")[positive, field], minlength=dataset.encoder.rows[field])
    # an id that stands in no pair is in no batch of pairs either; masked ids become 0, which may never have been seen
    return torch.from_numpy(log_q(np.maximum(counts, 1)))


def in_batch_loss(
    user: torch.Tensor,
    item: torch.Tensor,
    items: torch.Tensor,
    labels: torch.Tensor,
    log_q: torch.Tensor,
    teacher: torch.Tensor | None = None,
    share: float = 0.0,
    temperature: float = 1.0,
) -> torch.Tensor:
    """Scalar: mean cross-entropy of the batch's positive pairs (first task); 0 where there are fewer than two.

    `user` and `item` float (n, k), whose product is the first task's logit but for a constant; `items` int64 (n,) are
    the ids of the items; `labels` float (n, tasks). With `teacher` (n, 2m), its vectors of user and item side by side,
    its softmax over the same items at `temperature` takes the `share` of the labels' place.
    """
    positive = torch.nonzero(labels[:, 0] == 1)[:, 0]
    if len(positive) < 2:
        return user.sum() * 0.0
    logits = in_batch_logits((user[positive] @ item[positive].T).float(), items[positive], log_q)
    hard = logits.new_zeros(())
    if teacher is None or share < 1.0:  # thousands of items squared: what weighs nothing is not computed
        hard = cross_entropy(logits, torch.arange(len(positive), device=logits.device))
    if teacher is None or share == 0.0:
        return hard
    of_user, of_item = teacher[positive].chunk(2, dim=1)
    theirs = in_batch_logits(of_user @ of_item.T, items[positive], log_q)
    return (1.0 - share) * hard + share * softened_softmax(logits, theirs, temperature)
