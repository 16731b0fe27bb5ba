"""What a log knows without a model: smoothed rates of ids, the bar that a recommender must clear."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autocompress.data.store import Dataset
from autocompress.measure.bootstrap import auc

SMOOTHING = (5, 10, 20, 50)
Scores = NDArray[np.float32]


def rates(dataset: Dataset, task: int, smoothing: float) -> list[NDArray[np.float64]]:
    """Smoothed training log odds of each test row's id, float64 (test rows,) per field."""
    labels = dataset.labels("train")[:, task].astype(np.float64)
    mean = labels.mean()
    found = []
    for field in range(len(dataset.schema.fields)):
        rows, ids = dataset.encoder.rows[field], dataset.ids("train")[:, field]
        positives, seen = np.bincount(ids, labels, minlength=rows), np.bincount(ids, minlength=rows)
        rate = (positives + smoothing * mean) / (seen + smoothing)
        found.append(np.log(rate / (1 - rate))[dataset.ids("test")[:, field]])
    return found


def best(dataset: Dataset, task: int, sets: list[list[str]]) -> Scores:
    """The scores (test rows,) of the highest test AUC: one field, the sum of all, or of the fields that a set names.

    The choice is made on the test rows themselves, in the baseline's favour.
    """
    names, labels = dataset.schema.field_names, dataset.labels("test")[:, task]
    places = [[place] for place in range(len(names))] + [[names.index(name) for name in each] for each in sets]
    places.append(list(range(len(names))))
    tried = [
        np.sum([odds[place] for place in each], axis=0).astype(np.float32)
        for odds in (rates(dataset, task, smoothing) for smoothing in SMOOTHING)
        for each in places
    ]
    return max(tried, key=lambda scores: auc(scores, labels))
