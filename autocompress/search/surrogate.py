"""What plans are expected to come to, by Gaussian processes over those that were tried.

Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, algorithm 2.1. All objectives share the
kernels that are tried and their decompositions, where a library's regressor makes them anew for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.spatial.distance import cdist
from scipy.special import ndtr

from autocompress.search.objectives import Vector
from autocompress.search.variation import Distributions, Params, active, units

Floats = NDArray[np.float64]
ABSENT = -1.0
LENGTHS, NOISES, TREND = (1.0, 2.0, 4.0), (1e-3, 1e-2, 1e-1), 0.3
"""Kernels that are tried: of the features' range, of the outputs' variance; and the linear trend's share."""
CURVED = 0.003
"""Losses far below it count as they are, those far above by their logarithm."""


class Surrogate:
    """Objectives of plans from those of others; each has the kernel under which it is likeliest."""

    def __init__(self, plans: Sequence[Params], vectors: Sequence[Vector], space: Distributions) -> None:
        """Of at least two plans; `space` names the parameters that are read."""
        self._space = space
        inputs, outputs = features(plans, space), np.array(vectors, dtype=np.float64)
        outputs[:, 0] = np.arcsinh(outputs[:, 0] / CURVED)
        self._means, self._scales = outputs.mean(axis=0), outputs.std(axis=0) + 1e-9
        self._fits = fitted(inputs, (outputs - self._means) / self._scales)

    def drawn(self, plans: Sequence[Params], several: int, draw: np.random.Generator) -> list[list[Vector]]:
        """So many vectors that each plan may come to."""
        if not plans:
            return []
        inputs = features(plans, self._space)
        told = [fit.predict(inputs) for fit in self._fits]
        means, spreads = (np.stack(each, axis=-1)[:, None, :] for each in zip(*told, strict=True))
        unit = means + spreads * draw.normal(size=(len(plans), several, len(self._fits)))
        found: Floats = self._means + self._scales * unit
        found[..., 0] = CURVED * np.sinh(np.clip(found[..., 0], -9.0, 9.0))
        return [[(float(a), float(b), float(c)) for a, b, c in plan] for plan in found]


def chances(
    plans: Sequence[Params], kept: Sequence[bool], space: Distributions
) -> Callable[[Sequence[Params]], Floats]:
    """Of plans that are asked for: how likely each keeps what `plans` kept or not; float64 (asked,), .01 to 1.

    Least-squares classification (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, section 6.5):
    how sure the process is that its 0 or 1 lies above one half.
    """
    (fit,) = fitted(features(plans, space), np.array(kept, dtype=np.float64)[:, None])

    def of(asked: Sequence[Params]) -> Floats:
        means, spreads = fit.predict(features(asked, space))
        found: Floats = np.clip(ndtr((means - 0.5) / np.maximum(spreads, 1e-6)), 0.01, 1.0)
        return found

    return of


@dataclass(frozen=True)
class Fit:
    """A Gaussian process: `inputs` (n, numbers), the lower `factor` (n, n) of their covariance, `weights` (n,)."""

    inputs: Floats
    length: float
    factor: Floats
    weights: Floats

    def predict(self, asked: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation, without the noise of what was observed, (asked,) each."""
        beside = _covariance(asked, self.inputs, self.length)
        told = solve_triangular(self.factor, beside.T, lower=True, check_finite=False)
        own = 1.0 + TREND * (1.0 + np.square(asked).sum(axis=1))
        spreads: Floats = np.sqrt(np.maximum(own - np.square(told).sum(axis=0), 0.0))
        return beside @ self.weights, spreads


def fitted(inputs: Floats, targets: Floats) -> list[Fit]:
    """For each column of `targets` (n, columns) the process under whose length and noise it is likeliest."""
    several, best = targets.shape[1], list[Fit]()
    highest = np.full(several, -np.inf)
    for length in LENGTHS:
        covariance = _covariance(inputs, inputs, length)
        for noise in NOISES:
            factor = cholesky(covariance + noise * np.eye(len(inputs)), lower=True, check_finite=False)
            weights = cho_solve((factor, True), targets, check_finite=False)
            likelihood = -0.5 * (targets * weights).sum(axis=0) - np.log(factor.diagonal()).sum()
            fits = [Fit(inputs, length, factor, column) for column in weights.T]
            best = [fits[at] if likelihood[at] > highest[at] else best[at] for at in range(several)]
            highest = np.maximum(highest, likelihood)
    return best


def _covariance(rows: Floats, columns: Floats, length: float) -> Floats:
    """A linear trend and a Matern kernel, twice differentiable, (rows, columns)."""
    distance = np.sqrt(5.0) / length * cdist(rows, columns)
    curved: Floats = (1.0 + distance + distance**2 / 3.0) * np.exp(-distance)
    return curved + TREND * (1.0 + rows @ columns.T)


def features(plans: Sequence[Params], space: Distributions) -> Floats:
    """(plans, numbers): ranges from 0 to 1, a column per choice, `ABSENT` where a plan has no such knob."""
    columns: list[list[float] | Floats] = []
    known = [active(plan) for plan in plans]
    for name, each in space.items():
        if isinstance(each, CategoricalDistribution):
            columns += [
                [float(plan[name] == choice) if name in plan else ABSENT for plan in known] for choice in each.choices
            ]
        else:
            values = np.array([plan.get(name, np.nan) for plan in known])
            columns.append(np.where(np.isnan(values), ABSENT, units(each, values)))
    return np.array(columns, dtype=np.float64).T
