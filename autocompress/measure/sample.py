"""A part of a split that a metric is told from, often and quickly: to stop a training, to judge a rung."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from autocompress.data.inputs import Inputs
from autocompress.data.source import Split
from autocompress.data.store import Dataset
from autocompress.errors import UserError
from autocompress.measure.bootstrap import value_of
from autocompress.measure.catalogue import Catalogue, Run, catalogue_of
from autocompress.measure.quality import Goal, Metric


class Sample(Protocol):
    """What a metric is told from."""

    def values(self, run: Run) -> list[float]:
        """The metric per task, of what `run` gives: a file's outputs, or a model's."""


USERS = 5_000


@dataclass(frozen=True)
class RowSample:
    """Rows with their labels and, where `metric` needs them, their groups."""

    metric: Metric
    inputs: Inputs
    labels: NDArray[np.uint8]
    groups: NDArray[np.int32] | None

    def values(self, run: Run) -> list[float]:
        """From scores or logits (rows, tasks)."""
        scores = run(self.inputs)["scores"]
        tasks = range(self.labels.shape[1])
        return [value_of(self.metric, scores[:, task], self.labels[:, task], self.groups) for task in tasks]


@dataclass(frozen=True)
class CatalogueSample:
    """Users with what they took, among all items."""

    metric: Metric
    catalogue: Catalogue

    def values(self, run: Run) -> list[float]:
        """From vectors of users and items; of the only task."""
        return [float(self.catalogue.values(run)[self.metric].mean()[0])]


def sample_of(dataset: Dataset, split: Split, rows: int, goal: Goal) -> Sample:
    """Up to about `rows` evenly spread rows; whole groups where `metric` looks inside them, and `USERS` users where it
    looks over the `catalogue` (the field of items).

    `UserError` where the data have no groups, or no catalogue was named.
    """
    metric, catalogue = goal
    if metric.startswith("catalogue"):
        if catalogue is None:
            raise UserError(f"metric={metric}: name the field of the items with catalogue=item")
        return CatalogueSample(metric, catalogue_of(dataset, split, catalogue, USERS))
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
    return RowSample(metric, inputs, labels, None if groups is None else groups[taken])
