"""Bootstrap intervals of every metric, paired across models (Efron & Tibshirani, 1993).

Rows are resampled through Poisson(1) weights drawn once per split: every model sees the same replicates, so the
difference of two models is resampled in pairs, and sorting happens once per model instead of once per replicate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autocompress.measure.group_metrics import FEW, numbered, per_group, share
from autocompress.measure.quality import BINS, DISTANCES, FEW_GROUPS, MANY_GROUPS, THRESHOLD, Metric, row_losses

REPLICATES = 200
BLOCK = 32_768
"""Rows whose weights are made floats at a time: all of them would take eight times the memory of the weights."""


def weights(rows: int, seed: int, replicates: int = REPLICATES) -> NDArray[np.uint8]:
    """Resampling weights, uint8 (replicates, rows)."""
    return np.random.default_rng(seed).poisson(1.0, (replicates, rows)).astype(np.uint8)


def auc(scores: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    """Area under the ROC curve, ties counted half; NaN where only one class is present."""
    return float(auc_replicates(scores, labels, np.ones((1, len(scores)), dtype=np.uint8))[0])


def value_of(
    metric: Metric, scores: NDArray[np.float32], labels: NDArray[np.uint8], groups: NDArray[np.int32] | None
) -> float:
    """One metric alone; all arrays are (rows,), and `groups` are there where the metric needs them."""
    if metric == "auc":
        return auc(scores, labels)
    assert groups is not None
    codes, _ = numbered(groups)
    return float(np.nan_to_num(per_group(scores, labels, codes)[metric].mean()[0]))


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


@dataclass(frozen=True)
class Resampled:
    """What every model of a split is resampled by: `rows` uint8 (replicates, rows), and where the rows have groups,
    their numbers int64 (rows,) and, for more than a few of them, weights of whole groups uint8 (replicates, groups)."""

    rows: NDArray[np.uint8]
    groups: NDArray[np.int64] | None = None
    of_groups: NDArray[np.uint8] | None = None


def resample(rows: int, groups: NDArray[np.int32] | None, seed: int) -> Resampled:
    """Drawn from `seed`; `groups` (rows,) where the rows have any."""
    drawn = weights(rows, seed)
    if groups is None:
        return Resampled(drawn)
    codes, number = numbered(groups)
    return Resampled(drawn, codes, weights(number, seed + 1) if number > FEW else None)


def metric_replicates(
    scores: NDArray[np.float32], labels: NDArray[np.uint8], resampled: Resampled
) -> dict[str, NDArray[np.float64]]:
    """Every metric of `quality` in each replicate, float64 (replicates,). `scores` and `labels` are (rows,).

    As in `quality`, a precision, recall or F1 without a row to count is 0.
    """
    return {**_row_metrics(scores, labels, resampled.rows), **_group_metrics(scores, labels, resampled)}


def _group_metrics(
    scores: NDArray[np.float32], labels: NDArray[np.uint8], resampled: Resampled
) -> dict[str, NDArray[np.float64]]:
    """Whole groups are resampled where there are many: rows of one user are no independent witnesses."""
    if resampled.groups is None:
        return {}
    found = per_group(scores, labels, resampled.groups)
    if resampled.of_groups is not None:
        return {name: np.nan_to_num(found[name].mean(resampled.of_groups)) for name in MANY_GROUPS}
    numbers = np.flatnonzero(found["group_auc"].counts > 0)
    if not len(numbers):
        return {name: np.zeros(len(resampled.rows)) for name in FEW_GROUPS}
    members = [resampled.groups == number for number in numbers]
    aucs = np.stack([auc_replicates(scores[each], labels[each], resampled.rows[:, each]) for each in members], axis=1)
    counts = np.stack([resampled.rows[:, each].sum(axis=1) for each in members], axis=1)
    mean = np.nansum(aucs * counts, axis=1) / (counts * ~np.isnan(aucs)).sum(axis=1)
    return {"group_auc": mean, "auc_gap": np.nanmax(aucs, axis=1) - np.nanmin(aucs, axis=1)}


def _row_metrics(
    scores: NDArray[np.float32], labels: NDArray[np.uint8], resampled: NDArray[np.uint8]
) -> dict[str, NDArray[np.float64]]:
    called, positive = scores > THRESHOLD, labels == 1
    facts = [np.ones(len(scores)), row_losses(scores, labels), called == positive, called & positive, called, positive]
    rows, losses, right, hits, calls, positives = weighted_sums(np.stack(facts, axis=1), resampled).T
    return {
        "auc": auc_replicates(scores, labels, resampled),
        "log_loss": share(losses, rows),
        "accuracy": share(right, rows),
        "precision": share(hits, calls),
        "recall": share(hits, positives),
        "f1": share(2 * hits, calls + positives),
        "calibration_error": _calibration_errors(scores, labels, resampled),
    }


def _calibration_errors(
    scores: NDArray[np.float32], labels: NDArray[np.uint8], resampled: NDArray[np.uint8]
) -> NDArray[np.float64]:
    edges = np.linspace(0.0, 1.0, BINS + 1, dtype=np.float32)
    bins = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, BINS - 1)
    off = labels.astype(np.float64) - scores
    # rate and mean score of a bin are taken over the same rows, so their difference is one sum
    facts = np.zeros((len(scores), BINS))
    facts[np.arange(len(scores)), bins] = off
    rows = resampled.sum(axis=1, dtype=np.float64)
    errors: NDArray[np.float64] = np.abs(weighted_sums(facts, resampled)).sum(axis=1)
    return share(errors, rows)


def weighted_sums(facts: NDArray[np.float64], resampled: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Sums (replicates, facts) of `facts` (rows, facts) under the weights (replicates, rows)."""
    total = np.zeros((len(resampled), facts.shape[1]))
    for start in range(0, len(facts), BLOCK):
        total += resampled[:, start : start + BLOCK].astype(np.float64) @ facts[start : start + BLOCK]
    return total


def interval(replicates: NDArray[np.float64]) -> tuple[float, float]:
    """Percentile interval at 95 %."""
    low, high = np.nanpercentile(replicates, [2.5, 97.5])
    return float(low), float(high)


def interval_of(metric: str, value: float, replicates: NDArray[np.float64]) -> tuple[float, float]:
    """As `interval`; of a metric of `DISTANCES` it reaches to the `value` itself.

    Such a metric adds up absolute differences, and resampling makes differences: a small one may lie below what nearly
    every replicate shows.
    """
    low, high = interval(replicates)
    return (min(low, value), max(high, value)) if metric in DISTANCES else (low, high)
