"""A part of a split that a metric is told from, often and quickly: to stop a training, to judge a rung."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autocompress.data.inputs import Inputs
from autocompress.data.source import Split
from autocompress.data.store import Dataset
from autocompress.errors import UserError
from autocompress.measure.bootstrap import value_of
from autocompress.measure.quality import Metric


@dataclass(frozen=True)
class Sample:
    """Rows with their labels and, where `metric` needs them, their groups."""

    metric: Metric
    inputs: Inputs
    labels: NDArray[np.uint8]
    groups: NDArray[np.int32] | None

    def values(self, scores: NDArray[np.float32]) -> list[float]:
        """The metric per task, of scores or logits (rows, tasks)."""
        tasks = range(self.labels.shape[1])
        return [value_of(self.metric, scores[:, task], self.labels[:, task], self.groups) for task in tasks]


def sample_of(dataset: Dataset, split: Split, rows: int, metric: Metric) -> Sample:
    """Up to about `rows` evenly spread rows; whole groups where `metric` looks inside them.

    `UserError` where it does and the data have none.
    """
    total, groups = dataset.rows[split], None if metric == "auc" else dataset.groups(split)
    if metric == "auc":
        taken = np.linspace(0, total - 1, min(rows, total)).astype(np.int64)
    elif groups is None:
        raise UserError(f"metric={metric}: the data have no groups; name their column with data.group")
    else:
        distinct = np.unique(groups)
        share = min(1.0, rows / total)
        spread = distinct[np.linspace(0, len(distinct) - 1, max(1, round(share * len(distinct)))).astype(np.int64)]
        taken = np.flatnonzero(np.isin(groups, spread))
    inputs, labels = dataset.inputs(split)[taken], np.asarray(dataset.labels(split)[taken])
    return Sample(metric, inputs, labels, None if groups is None else groups[taken])
