"""Variation of plans in an evolution: the parameters of one or two parents, changed a little."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from autocompress.search.space import WHEN

Params = Mapping[str, Any]
Distributions = Mapping[str, BaseDistribution]
_WHEN = f".{WHEN}"
STEP = 0.1
"""Deviation of a number's move, as a share of its range."""


def active(params: Params) -> dict[str, Any]:
    """Without the knobs of methods that are left out."""
    off = {_method(name) for name, value in params.items() if value is False and name.endswith(_WHEN)}
    return {name: value for name, value in params.items() if _method(name) not in off or name.endswith(_WHEN)}


@functools.cache
def _method(name: str) -> str:
    """Whose knob it is."""
    return name.partition(".")[0]


def crossed(one: Params, other: Params, draw: np.random.Generator) -> dict[str, Any]:
    """Each parameter of `one` from either, where both have it (uniform crossover, Syswerda, ICGA 1989)."""
    return {name: other[name] if name in other and draw.random() < 0.5 else value for name, value in one.items()}


def mutated(params: Params, distributions: Distributions, draw: np.random.Generator, rate: float) -> dict[str, Any]:
    """Every parameter of `distributions`, moved with probability `rate`, and at least one of them: numbers by `STEP` of
    their range, choices anywhere. One that `params` lacks is drawn."""
    names = list(distributions)
    moved = draw.random(len(names)) < rate
    moved[draw.integers(len(names))] = True
    found = {}
    for name, moves in zip(names, moved, strict=True):
        each = distributions[name]
        if name not in params or (moves and isinstance(each, CategoricalDistribution)):
            found[name] = from_unit(each, draw.random())
        elif moves:
            found[name] = from_unit(each, min(1.0, max(0.0, to_unit(each, params[name]) + STEP * draw.normal())))
        else:
            found[name] = params[name]
    return found


def to_unit(distribution: BaseDistribution, value: Any) -> float:
    """Where a value stands in its range, 0 to 1; of a choice, its place among the choices."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices.index(value) / max(1, len(distribution.choices) - 1)
    low, high = _ends(distribution)
    here = math.log(value) if _is_log(distribution) else value
    return float((here - low) / (high - low)) if high > low else 0.0


def units(distribution: BaseDistribution, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where numbers stand in their range, 0 to 1; NaN where there is none."""
    low, high = _ends(distribution)
    here = np.log(values) if _is_log(distribution) else values
    found: NDArray[np.float64] = (here - low) / (high - low) if high > low else 0.0 * here
    return found


def from_unit(distribution: BaseDistribution, unit: float) -> Any:
    """The value at a place of its range: the nearest that the distribution holds."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[min(len(distribution.choices) - 1, int(unit * len(distribution.choices)))]
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = _ends(distribution)
    value = low + unit * (high - low)
    value = math.exp(value) if distribution.log else value
    if distribution.step is not None and not (distribution.log and distribution.step == 1):
        value = distribution.low + round((value - distribution.low) / distribution.step) * distribution.step
    value = float(min(distribution.high, max(distribution.low, value)))
    return round(value) if isinstance(distribution, IntDistribution) else value


def _ends(distribution: BaseDistribution) -> tuple[float, float]:
    """Of a range, as logarithms where it has them."""
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = distribution.low, distribution.high
    return (math.log(low), math.log(high)) if distribution.log else (low, high)


def _is_log(distribution: BaseDistribution) -> bool:
    return isinstance(distribution, FloatDistribution | IntDistribution) and distribution.log
