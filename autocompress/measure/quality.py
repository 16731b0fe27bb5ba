"""Quality of scores against labels, through torchmetrics where it has the metric."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from autocompress.measure.group_metrics import FEW, TOP, gap, numbered, per_group

Values = TypeVar("Values", float, NDArray[np.float64])

Metric = Literal["auc", "group_auc", "ndcg@10", "recall@10", "hit_rate@10", "catalogue_ndcg@10", "catalogue_recall@10"]
"""What a study may aim at."""


class Goal(NamedTuple):
    """The metric that counts, and for one over the catalogue the field whose ids are the items."""

    metric: Metric = "auc"
    catalogue: str | None = None


AUC = Goal()
VERSION = 1
"""Grows when a metric changes what it says, here, in groups or over a catalogue: what was measured before is not read
any more."""
METRICS = ("auc", "log_loss", "accuracy", "precision", "recall", "f1", "calibration_error")
FEW_GROUPS, MANY_GROUPS = ("group_auc", "auc_gap"), ("group_auc", f"ndcg@{TOP}", f"recall@{TOP}", f"hit_rate@{TOP}")
LOWER_IS_BETTER = frozenset({"log_loss", "calibration_error", "auc_gap"})
DISTANCES = frozenset({"calibration_error", "auc_gap"})
"""Never negative, and 0 only where two things are equal."""
CLIP = 1e-7
THRESHOLD = 0.5
BINS = 15


def drop(metric: str, teacher: Values, mine: Values) -> Values:
    """What is lost against the teacher, elementwise: positive is a loss, whichever way the metric goes."""
    return mine - teacher if metric in LOWER_IS_BETTER else teacher - mine


def quality(
    scores: NDArray[np.float32],
    labels: NDArray[np.uint8],
    tasks: tuple[str, ...],
    groups: NDArray[np.int32] | None = None,
) -> dict[str, dict[str, float]]:
    """Task -> metric -> value over all rows; `scores` in [0, 1] and `labels` in {0, 1} are (rows, tasks).

    Accuracy, precision, recall and F1 are at `THRESHOLD`, calibration error is the mean |rate - score| over `BINS`
    bins of the score (Guo et al., ICML 2017), torchmetrics' own. Log loss is the mean over rows, in nats. With `groups`
    (rows,), `FEW_GROUPS` or `MANY_GROUPS` follow, whichever it is.
    """
    import torch
    from torchmetrics import MetricCollection
    from torchmetrics.classification import (
        BinaryAccuracy,
        BinaryAUROC,
        BinaryCalibrationError,
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
                "calibration_error": BinaryCalibrationError(n_bins=BINS, norm="l1"),
            }
        )
        values = {name: float(value) for name, value in collection(probability, label).items()}
        values["log_loss"] = log_loss(scores[:, index], labels[:, index])
        result[task] = {name: values[name] for name in METRICS}
        if groups is not None:
            result[task] |= grouped(scores[:, index], labels[:, index], groups)
    return result


def grouped(scores: NDArray[np.float32], labels: NDArray[np.uint8], groups: NDArray[np.int32]) -> dict[str, float]:
    """`FEW_GROUPS` or `MANY_GROUPS`; all arrays are (rows,). 0 where no group has a meaningful value."""
    codes, number = numbered(groups)
    found = per_group(scores, labels, codes)
    means = {name: float(np.nan_to_num(each.mean()[0])) for name, each in found.items()}
    values = {**means, "auc_gap": gap(found["group_auc"])}
    return {name: values[name] for name in (FEW_GROUPS if number <= FEW else MANY_GROUPS)}


def log_loss(scores: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    """Mean cross-entropy in nats, scores clipped to [1e-7, 1 - 1e-7] (torchmetrics has none for binary labels)."""
    return float(row_losses(scores, labels).mean())


def row_losses(scores: NDArray[np.float32], labels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Cross-entropy of each row in nats, float64 (rows,), of clipped scores."""
    probability = np.clip(scores.astype(np.float64), CLIP, 1 - CLIP)
    losses: NDArray[np.float64] = -np.where(labels == 1, np.log(probability), np.log1p(-probability))
    return losses
