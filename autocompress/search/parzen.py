"""Parzen estimators of plans: how likely parameters are among those that were observed, and draws that lie as they do.

Kernels, widths and prior are those of Optuna's TPE, in a fraction of the time (ADR 19): truncated normals that reach to
their farther neighbour, over the logarithm where a range is logarithmic, and smoothed counts of choices (Bergstra et
al., NeurIPS 2011; Watanabe, arXiv:2304.11127).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from scipy.special import ndtr, ndtri

from autocompress.search.surrogate import Floats
from autocompress.search.variation import Distributions

Places = NDArray[np.int64]
FINEST = 100
"""A kernel is no narrower than this part of its range, nor than its part where there are fewer kernels."""
NEXT_TO_NOTHING = 1e-300
"""A step so far from a kernel that nothing is left of it."""


class Choices(NamedTuple):
    """(kernels, choices) of probabilities."""

    shares: Floats

    def draw(self, kernels: Places, draw: np.random.Generator) -> Floats:
        """(several,) places of choices, one of each kernel."""
        below = np.cumsum(self.shares[kernels], axis=1)[:, :-1] < draw.random((len(kernels), 1))
        found: Floats = below.sum(axis=1).astype(np.float64)
        return found

    def log_densities(self, points: Floats) -> Floats:
        """(points, kernels)."""
        found: Floats = np.log(self.shares).T[points.astype(np.int64)]
        return found


class Numbers(NamedTuple):
    """Normals (kernels,) between `low` and `high`, which lie half a `step` outside of the range; all but the range are
    logarithms where `log`. `step` is 0 where every number is allowed."""

    centres: Floats
    widths: Floats
    low: float
    high: float
    range: tuple[float, float]
    step: float
    log: bool

    def draw(self, kernels: Places, draw: np.random.Generator) -> Floats:
        """(several,), one of each kernel."""
        centres, widths = self.centres[kernels], self.widths[kernels]
        below, above = ndtr((self.low - centres) / widths), ndtr((self.high - centres) / widths)
        inner = centres + widths * ndtri(below + (above - below) * draw.random(len(kernels)))
        found: Floats = np.exp(inner) if self.log else inner
        first, last = self.range
        if self.step:
            found = first + np.round((found - first) / self.step) * self.step
        return found.clip(first, last)

    def log_densities(self, points: Floats) -> Floats:
        """(points, kernels); of steps their probability."""
        mass = ndtr((self.high - self.centres) / self.widths) - ndtr((self.low - self.centres) / self.widths)
        if self.step:
            before, behind = (self._away(points + side * self.step / 2) for side in (-1, 1))
            found: Floats = np.log(np.maximum(ndtr(behind) - ndtr(before), NEXT_TO_NOTHING)) - np.log(mass)
            return found
        found = -0.5 * self._away(points) ** 2 - np.log(math.sqrt(2 * math.pi) * self.widths * mass)
        return found

    def _away(self, points: Floats) -> Floats:
        inner = np.log(points) if self.log else points
        found: Floats = (inner[:, None] - self.centres) / self.widths
        return found


class Mixture(NamedTuple):
    """Of kernels that count by `weights` (kernels,), each a product over parameters."""

    weights: Floats
    parameters: tuple[Choices | Numbers, ...]

    def draw(self, several: int, draw: np.random.Generator) -> Floats:
        """(several, parameters)."""
        kernels = draw.choice(len(self.weights), size=several, p=self.weights)
        return np.stack([each.draw(kernels, draw) for each in self.parameters], axis=1)

    def log_density(self, points: Floats) -> Floats:
        """(points,) of (points, parameters)."""
        each = np.log(self.weights) + sum(
            parameter.log_densities(points[:, place]) for place, parameter in enumerate(self.parameters)
        )
        highest = each.max(axis=1, keepdims=True)
        found: Floats = np.log(np.exp(each - highest).sum(axis=1)) + highest[:, 0]
        return found


def mixture(observed: Floats, space: Distributions, weights: Floats) -> Mixture:
    """A kernel around each row of `observed` (plans, parameters), as Optuna stores parameters, that counts by `weights`
    (plans,), and the prior, which counts as one. `TypeError` where a distribution is none of Optuna's three."""
    counting = np.append(weights, 1.0)
    kernels = tuple(_kernels(column, each) for column, each in zip(observed.T, space.values(), strict=True))
    return Mixture(counting / counting.sum(), kernels)


def _kernels(observed: Floats, distribution: BaseDistribution) -> Choices | Numbers:
    if isinstance(distribution, CategoricalDistribution):
        return _choices(observed.astype(np.int64), len(distribution.choices))
    if isinstance(distribution, IntDistribution | FloatDistribution):
        return _numbers(observed, distribution)
    raise TypeError(f"a parameter of {type(distribution).__name__} cannot be estimated")


def _choices(observed: Places, choices: int) -> Choices:
    counts = np.full((len(observed) + 1, choices), 1.0 / (len(observed) + 1))
    counts[np.arange(len(observed)), observed] += 1.0
    return Choices(counts / counts.sum(axis=1, keepdims=True))


def _numbers(observed: Floats, distribution: IntDistribution | FloatDistribution) -> Numbers:
    step = float(distribution.step or 0.0)
    low, high = distribution.low - step / 2, distribution.high + step / 2
    # around a centre beyond the range hardly any of a kernel would be left inside
    observed = observed.clip(distribution.low, distribution.high)
    if distribution.log:
        low, high, observed = math.log(low), math.log(high), np.log(observed)
    order = np.argsort(observed)
    gaps = np.diff(np.concatenate([[low], observed[order], [high]]))
    reach = np.maximum(gaps[:-1], gaps[1:])
    if len(reach) > 1:  # the ends of the range are nobody's neighbours
        reach[0], reach[-1] = gaps[1], gaps[-2]
    widths = np.empty(len(reach))
    widths[order] = np.clip(reach, (high - low) / min(FINEST, len(reach) + 2), high - low)
    return Numbers(
        np.append(observed, (low + high) / 2),
        np.append(widths, high - low),
        low,
        high,
        (distribution.low, distribution.high),
        step,
        distribution.log,
    )
