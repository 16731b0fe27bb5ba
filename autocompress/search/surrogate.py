"""What plans are expected to come to, by Gaussian processes over those that were tried."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution
from scipy.special import ndtr
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import DotProduct, Matern

from autocompress.search.objectives import Vector
from autocompress.search.variation import Distributions, Params, active, to_unit

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
        self._fits = [_likeliest(inputs, column) for column in ((outputs - self._means) / self._scales).T]

    def drawn(self, plans: Sequence[Params], several: int, draw: np.random.Generator) -> list[list[Vector]]:
        """So many vectors that each plan may come to."""
        if not plans:
            return []
        inputs = features(plans, self._space)
        told = [fit.predict(inputs, return_std=True) for fit in self._fits]
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
    fit = _likeliest(features(plans, space), np.array(kept, dtype=np.float64))

    def of(asked: Sequence[Params]) -> Floats:
        means, spreads = fit.predict(features(asked, space), return_std=True)
        found: Floats = np.clip(ndtr((means - 0.5) / np.maximum(spreads, 1e-6)), 0.01, 1.0)
        return found

    return of


def _likeliest(inputs: Floats, targets: Floats) -> GaussianProcessRegressor:
    fits = []
    for length, noise in itertools.product(LENGTHS, NOISES):
        kernel = TREND * DotProduct(1.0) + Matern(length, nu=2.5)
        fits.append(GaussianProcessRegressor(kernel, alpha=noise, optimizer=None).fit(inputs, targets))
    return max(fits, key=lambda fit: float(fit.log_marginal_likelihood_value_))


def features(plans: Sequence[Params], space: Distributions) -> Floats:
    """(plans, numbers): ranges from 0 to 1, a column per choice, `ABSENT` where a plan has no such knob."""
    columns: list[list[float]] = []
    known = [active(plan) for plan in plans]
    for name, each in space.items():
        if isinstance(each, CategoricalDistribution):
            columns += [
                [float(plan[name] == choice) if name in plan else ABSENT for plan in known] for choice in each.choices
            ]
        else:
            columns.append([to_unit(each, plan[name]) if name in plan else ABSENT for plan in known])
    return np.array(columns, dtype=np.float64).T
