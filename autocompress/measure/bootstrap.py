"""Bootstrap intervals of AUC and log loss, paired across models (Efron & Tibshirani, 1993).

Rows are resampled through Poisson(1) weights drawn once per split: every model sees the same replicates, so the
difference of two models is resampled in pairs, and sorting happens once per model instead of once per replicate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REPLICATES = 200


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


def interval(replicates: NDArray[np.float64]) -> tuple[float, float]:
    """Percentile interval at 95 %."""
    low, high = np.nanpercentile(replicates, [2.5, 97.5])
    return float(low), float(high)
