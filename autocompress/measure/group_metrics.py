"""Metrics inside groups: how well the rows of one user, or of one query, are ranked."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

TOP = 10
FEW = 20
"""Up to so many groups are kinds of rows (a sex, a market) to be compared; more are users or queries."""

Values = NDArray[np.float64]


class PerGroup(NamedTuple):
    """A metric of each group, and how much the group counts; 0 where the metric has no meaning there."""

    values: Values
    counts: Values

    def mean(self, resampled: NDArray[np.uint8] | None = None) -> Values:
        """The weighted mean under each row of `resampled` (replicates, groups); (1,) without. NaN of no group."""
        drawn = self.counts[None, :] if resampled is None else resampled * self.counts
        total = drawn.sum(axis=1)
        found: Values = drawn @ self.values
        mean: Values = np.divide(found, total, out=np.full(len(drawn), np.nan), where=total > 0)
        return mean


def numbered(groups: NDArray[np.int32]) -> tuple[NDArray[np.int64], int]:
    """The groups as numbers from 0, int64 (rows,), and how many there are."""
    values, found = np.unique(groups, return_inverse=True)
    return found, len(values)


def per_group(scores: NDArray[np.float32], labels: NDArray[np.uint8], groups: NDArray[np.int64]) -> dict[str, PerGroup]:
    """`group_auc`, `ndcg@10`, `recall@10`, `hit_rate@10` of each group; `groups` (rows,) are `numbered`.

    Among equal scores rows of label 0 come first, so that a model that tells nothing apart gets no credit for the order
    of the log. A group's AUC counts by its rows, ties half (Zhou et al., KDD 2018, section 6.2); it needs both labels,
    the others a label 1. Gains of NDCG are the labels (Jarvelin and Kekalainen, TOIS 2002).
    """
    order = np.lexsort((labels, -scores, groups))
    group, label, score = groups[order], labels[order].astype(np.float64), scores[order]
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    sizes = np.diff(starts, append=len(group))
    rank = np.arange(len(group)) - np.repeat(starts, sizes)
    positives = np.add.reduceat(label, starts)
    negatives = sizes - positives
    top = label * (rank < TOP)
    hits = np.add.reduceat(top, starts)
    gains = np.add.reduceat(top / np.log2(rank + 2.0), starts)

    ties = np.flatnonzero(np.diff(group, prepend=-1).astype(bool) | (np.diff(score, prepend=np.inf) != 0))
    lengths = np.diff(ties, append=len(group))
    middle = np.repeat(rank[ties] + (lengths - 1) / 2.0, lengths)
    # of each row of label 1, the rows of its group that score less, half of those that score as much
    below = np.add.reduceat(label * (np.repeat(sizes, sizes) - 1.0 - middle), starts)
    won, pairs = below - positives * (positives - 1.0) / 2.0, positives * negatives
    any_positive = (positives > 0).astype(np.float64)
    return {
        "group_auc": PerGroup(share(won, pairs), np.where(pairs > 0, sizes, 0).astype(np.float64)),
        f"ndcg@{TOP}": PerGroup(share(gains, ideal_gains(positives)), any_positive),
        f"recall@{TOP}": PerGroup(share(hits, positives), any_positive),
        f"hit_rate@{TOP}": PerGroup((hits > 0).astype(np.float64), any_positive),
    }


def ideal_gains(positives: Values) -> Values:
    """The largest discounted gain among the first `TOP` of lists with so many labels of 1."""
    best = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(TOP) + 2.0))])
    found: Values = best[np.minimum(positives, TOP).astype(np.int64)]
    return found


def gap(aucs: PerGroup) -> float:
    """The largest AUC of a group minus the smallest; 0 where fewer than two groups have one."""
    there = aucs.values[aucs.counts > 0]
    return float(np.ptp(there)) if len(there) > 1 else 0.0


def share(part: Values, whole: Values) -> Values:
    """`part` over `whole`, 0 where there is nothing to share."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
