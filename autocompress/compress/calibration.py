"""Scores made to say how often: fitted to labels, task by task, and folded into the file. Order and AUC stay.

`platt`: two numbers per task (Platt, "Probabilistic Outputs for Support Vector Machines", 1999), which is temperature
scaling (Guo et al., ICML 2017) and the base rate at once. `isotonic`: a rising line of a few pieces (Zadrozny and
Elkan, "Transforming Classifier Scores into Accurate Multiclass Probability Estimates", KDD 2002), for scores that are
off by more where they are high than where they are low.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autocompress.models.recommender import Calibration

Way = Literal["none", "platt", "isotonic"]
WEAKEST = 0.05
"""Least slope: a task whose logits tell nothing would be turned around, or flattened."""
BINS = 20
"""Of equally many rows, whose rates an isotonic line runs through."""


class _Line(NamedTuple):
    """`factor` x logit + `shift`, and beyond `knots[i]` `bends[i]` times the way from there."""

    factor: float = 1.0
    shift: float = 0.0
    knots: tuple[float, ...] = ()
    bends: tuple[float, ...] = ()


def fitted(way: Way, logits: NDArray[np.float32], labels: NDArray[np.uint8]) -> Calibration | None:
    """The calibration of rows (n, tasks); None for `none`. A task that has but one label stays as it is."""
    if way == "none":
        return None
    fit = _platt if way == "platt" else _isotonic
    lines = [
        fit(logits[:, task].astype(np.float64), labels[:, task]) if len(np.unique(labels[:, task])) == 2 else _Line()
        for task in range(labels.shape[1])
    ]
    most = max(len(line.knots) for line in lines)
    return Calibration(
        tuple(line.factor for line in lines),
        tuple(line.shift for line in lines),
        # a line of fewer pieces has bends of 0
        tuple(line.knots + (0.0,) * (most - len(line.knots)) for line in lines),
        tuple(line.bends + (0.0,) * (most - len(line.bends)) for line in lines),
    )


def _platt(logits: NDArray[np.float64], labels: NDArray[np.uint8]) -> _Line:
    """Of least log loss."""
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=np.inf).fit(logits[:, None], labels)
    return _Line(max(WEAKEST, float(found.coef_[0, 0])), float(found.intercept_[0]))


def _isotonic(logits: NDArray[np.float64], labels: NDArray[np.uint8]) -> _Line:
    """Through the rates of bins, pooled until they rise; beyond the first and the last bin as Platt's line rises."""
    from scipy.optimize import isotonic_regression

    beyond, order = _platt(logits, labels), np.argsort(logits, kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    sizes = np.array([len(part) for part in bins], dtype=np.float64)
    # half a row of either label more: no rate is 0 or 1
    rates = np.array([(labels[part].sum() + 0.5) / (len(part) + 1.0) for part in bins])
    pooled = isotonic_regression(rates, weights=sizes).x
    starts = np.append(0, np.flatnonzero(np.diff(pooled) > 0) + 1)
    means = np.array([logits[part].mean() for part in bins])
    knots = np.add.reduceat(means * sizes, starts) / np.add.reduceat(sizes, starts)
    values = np.log(pooled[starts] / (1 - pooled[starts]))
    # equal logits in two bins would ask for a step, which has no slope
    apart = np.append(True, np.diff(knots) > 1e-6)
    knots, values = knots[apart], values[apart]
    slopes = np.maximum(WEAKEST, np.diff(values) / np.diff(knots))
    bends = np.diff(np.concatenate([[beyond.factor], slopes, [beyond.factor]]))
    return _Line(
        beyond.factor, float(values[0] - beyond.factor * knots[0]), tuple(knots.tolist()), tuple(bends.tolist())
    )
