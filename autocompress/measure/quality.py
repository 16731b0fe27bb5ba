"""Quality of scores against labels, through torchmetrics."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Values = TypeVar("Values", float, NDArray[np.float64])

METRICS = ("auc", "log_loss", "accuracy", "precision", "recall", "f1")
HIGHER_IS_BETTER = {"auc": True, "log_loss": False, "accuracy": True, "precision": True, "recall": True, "f1": True}
CLIP = 1e-7
THRESHOLD = 0.5


def drop(metric: str, teacher: Values, mine: Values) -> Values:
    """What is lost against the teacher, elementwise: positive is a loss, whichever way the metric goes.

    A metric that `HIGHER_IS_BETTER` does not know counts as one where higher is better.
    """
    return teacher - mine if HIGHER_IS_BETTER.get(metric, True) else mine - teacher


def quality(
    scores: NDArray[np.float32], labels: NDArray[np.uint8], tasks: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """Task -> metric -> value over all rows; `scores` in [0, 1] and `labels` in {0, 1} are (rows, tasks).

    Accuracy, precision, recall and F1 are at `THRESHOLD`, torchmetrics' own. Log loss is the mean over rows, in nats.
    """
    import torch
    from torchmetrics import MetricCollection
    from torchmetrics.classification import (
        BinaryAccuracy,
        BinaryAUROC,
        BinaryF1Score,
        BinaryPrecision,
        BinaryRecall,
    )

    result = {}
    for index, task in enumerate(tasks):
        probability = torch.from_numpy(np.ascontiguousarray(scores[:, index]))
        label = torch.from_numpy(np.ascontiguousarray(labels[:, index]).astype(np.int64))
        collection = MetricCollection(
            {
                "auc": BinaryAUROC(),
                "accuracy": BinaryAccuracy(),
                "precision": BinaryPrecision(),
                "recall": BinaryRecall(),
                "f1": BinaryF1Score(),
            }
        )
        values = {name: float(value) for name, value in collection(probability, label).items()}
        values["log_loss"] = log_loss(scores[:, index], labels[:, index])
        result[task] = {name: values[name] for name in METRICS}
    return result


def log_loss(scores: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    """Mean cross-entropy in nats, scores clipped to [1e-7, 1 - 1e-7] (torchmetrics has none for binary labels)."""
    return float(row_losses(scores, labels).mean())


def row_losses(scores: NDArray[np.float32], labels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Cross-entropy of each row in nats, float64 (rows,), of clipped scores."""
    probability = np.clip(scores.astype(np.float64), CLIP, 1 - CLIP)
    losses: NDArray[np.float64] = -np.where(labels == 1, np.log(probability), np.log1p(-probability))
    return losses
