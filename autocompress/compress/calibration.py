"""Scores made to say how often: two numbers per task, fitted to labels and folded into the file.

Platt, "Probabilistic Outputs for Support Vector Machines", 1999; with the shift it is temperature scaling (Guo et al.,
ICML 2017) and the base rate at once. It keeps the order of scores, so AUC stays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autocompress.models.recommender import Calibration

WEAKEST = 0.05
"""Least factor: a task whose logits tell nothing would be turned around, or flattened."""


def fitted(logits: NDArray[np.float32], labels: NDArray[np.uint8]) -> Calibration:
    """The calibration of least log loss on rows (n, tasks); a task that has but one label stays as it is."""
    from sklearn.linear_model import LogisticRegression

    factors, shifts = [], []
    for task in range(labels.shape[1]):
        factor, shift = 1.0, 0.0
        if len(np.unique(labels[:, task])) == 2:
            found = LogisticRegression(C=np.inf).fit(logits[:, task : task + 1], labels[:, task])
            factor, shift = max(WEAKEST, float(found.coef_[0, 0])), float(found.intercept_[0])
        factors.append(factor)
        shifts.append(shift)
    return Calibration(tuple(factors), tuple(shifts))
