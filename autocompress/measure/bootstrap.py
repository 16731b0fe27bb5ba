"""Bootstrap intervals of every metric, paired across models (Efron & Tibshirani, 1993).

Rows are resampled through Poisson(1) weights drawn once per split: every model sees the same replicates, so the
difference of two models is resampled in pairs, and sorting happens once per model instead of once per replicate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autocompress.measure.quality import THRESHOLD, row_losses

REPLICATES = 200
BLOCK = 32_768
"""Rows whose weights are made floats at a time: all of them would take eight times the memory of the weights."""


def weights(rows: int, seed: int, replicates: int = REPLICATES) -> NDArray[np.uint8]:
    """Resampling weights, uint8 (replicates, rows)."""
    return np.random.default_rng(seed).poisson(1.0, (replicates, rows)).astype(np.uint8)


def auc(scores: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    """Area under the ROC curve, ties counted half; NaN where only one class is present."""
    return float(auc_replicates(scores, labels, np.ones((1, len(scores)), dtype=np.uint8))[0])


def auc_replicates(
    scores: NDArray[np.float32], labels: NDArray[np.uint8], resampled: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """AUC of each replicate, float64 (replicates,). `scores` and `labels` are (rows,)."""
    order = np.argsort(scores, kind="stable")
    positive = labels[order].astype(bool)
    ranked = scores[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    result = np.empty(len(resampled))
    for index, weight in enumerate(resampled):
        drawn = weight[order].astype(np.float64)
        positives = np.add.reduceat(np.where(positive, drawn, 0.0), starts)
        negatives = np.add.reduceat(np.where(positive, 0.0, drawn), starts)
        below = np.cumsum(negatives) - negatives
        total = positives.sum() * negatives.sum()
        result[index] = (positives @ (below + 0.5 * negatives)) / total if total else np.nan
    return result


def metric_replicates(
    scores: NDArray[np.float32], labels: NDArray[np.uint8], resampled: NDArray[np.uint8]
) -> dict[str, NDArray[np.float64]]:
    """Every metric of `quality.METRICS` in each replicate, float64 (replicates,). `scores` and `labels` are (rows,).

    As in `quality`, a precision, recall or F1 without a row to count is 0.
    """
    called, positive = scores > THRESHOLD, labels == 1
    facts = [np.ones(len(scores)), row_losses(scores, labels), called == positive, called & positive, called, positive]
    rows, losses, right, hits, calls, positives = weighted_sums(np.stack(facts, axis=1), resampled).T
    return {
        "auc": auc_replicates(scores, labels, resampled),
        "log_loss": _share(losses, rows),
        "accuracy": _share(right, rows),
        "precision": _share(hits, calls),
        "recall": _share(hits, positives),
        "f1": _share(2 * hits, calls + positives),
    }


def weighted_sums(facts: NDArray[np.float64], resampled: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Sums (replicates, facts) of `facts` (rows, facts) under the weights (replicates, rows)."""
    total = np.zeros((len(resampled), facts.shape[1]))
    for start in range(0, len(facts), BLOCK):
        total += resampled[:, start : start + BLOCK].astype(np.float64) @ facts[start : start + BLOCK]
    return total


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def interval(replicates: NDArray[np.float64]) -> tuple[float, float]:
    """Percentile interval at 95 %."""
    low, high = np.nanpercentile(replicates, [2.5, 97.5])
    return float(low), float(high)
