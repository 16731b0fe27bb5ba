"""Quality of scores against labels, through torchmetrics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

METRICS = ("auc", "log_loss", "accuracy", "precision", "recall", "f1")
HIGHER_IS_BETTER = {"auc": True, "log_loss": False, "accuracy": True, "precision": True, "recall": True, "f1": True}
CLIP = 1e-7


def quality(
    scores: NDArray[np.float32], labels: NDArray[np.uint8], tasks: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """Task -> metric -> value over all rows; `scores` in [0, 1] and `labels` in {0, 1} are (rows, tasks).

    Accuracy, precision, recall and F1 are at the threshold .5. Log loss is the mean over rows, in nats.
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
    probability = np.clip(scores.astype(np.float64), CLIP, 1 - CLIP)
    return float(-np.where(labels == 1, np.log(probability), np.log1p(-probability)).mean())
