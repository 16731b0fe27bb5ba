"""Estimators are Optuna's, density by density, and what is drawn lies as their density says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters

from autocompress.search.density_ratio import recency_weights
from autocompress.search.parzen import Mixture, mixture
from autocompress.search.surrogate import Floats

SPACE: dict[str, BaseDistribution] = {
    "float": FloatDistribution(-1.0, 3.0),
    "log": FloatDistribution(1e-5, 0.1, log=True),
    "step": FloatDistribution(0.1, 0.8, step=0.1),
    "int": IntDistribution(0, 12),
    "by four": IntDistribution(4, 64, step=4),
    "log int": IntDistribution(1, 512, log=True),
    "choice": CategoricalDistribution(["a", "b", "c"]),
    "switch": CategoricalDistribution([True, False]),
}
each_alone = pytest.mark.parametrize("name", SPACE)


def anywhere(count: int, draw: np.random.Generator, space: dict[str, BaseDistribution]) -> Floats:
    """Uniform over each range."""
    nothing = np.empty((0, len(space)))
    return mixture(nothing, space, np.empty(0)).draw(count, draw)


def optunas(observed: Floats, space: dict[str, BaseDistribution], weights: Floats) -> Any:
    settings = _ParzenEstimatorParameters(1.0, True, False, lambda count: weights, True)
    return _ParzenEstimator(dict(zip(space, observed.T, strict=True)), space, settings)


def density(made: Mixture, points: Floats) -> Floats:
    return np.exp(made.log_density(points))


@given(seed=st.integers(0, 10_000), count=st.integers(0, 60), names=st.sets(st.sampled_from(list(SPACE)), min_size=1))
def test_densities_are_optunas(seed: int, count: int, names: set[str]) -> None:
    draw, space = np.random.default_rng(seed), {name: SPACE[name] for name in SPACE if name in names}
    observed, points = anywhere(count, draw, space), anywhere(10, draw, space)
    weights = recency_weights(count)
    theirs = optunas(observed, space, weights).log_pdf(dict(zip(space, points.T, strict=True)))
    assert mixture(observed, space, weights).log_density(points) == pytest.approx(theirs, rel=1e-9, abs=1e-9)


SIZES = dict(zip(SPACE, (4.0, math.log(1e4), 8, 13, 16, 512, 3, 2), strict=True))
"""Of each range, in what its density is told in."""


@each_alone
def test_draws_are_values_of_the_range_and_lie_as_the_density_says(name: str) -> None:
    space, draw = {name: SPACE[name]}, np.random.default_rng(0)
    made = mixture(anywhere(8, draw, space), space, np.ones(8))
    drawn = made.draw(4_000, draw)[:, 0]
    assert all(SPACE[name]._contains(value) for value in drawn[:200])
    # the mean of 1 / density over draws is the size of the range
    assert np.mean(1 / density(made, drawn[:, None])) == pytest.approx(SIZES[name], rel=0.1)


def test_a_value_that_was_seen_often_is_drawn_often_and_the_prior_leaves_all_others_possible() -> None:
    space, draw = {name: SPACE[name] for name in ("choice", "int")}, np.random.default_rng(0)
    drawn = mixture(np.tile([2.0, 7.0], (50, 1)), space, np.ones(50)).draw(2_000, draw)
    assert np.mean(drawn[:, 0] == 2) > 0.9
    assert np.mean(np.abs(drawn[:, 1] - 7) <= 1) > 0.9
    assert set(drawn[:, 0]) == {0, 1, 2}


def test_what_lies_outside_of_a_range_that_was_narrowed_counts_as_its_end() -> None:
    space = {name: SPACE[name] for name in ("log", "int")}
    outside, ends = np.array([[1e-9, 90.0], [5.0, -40.0]]), np.array([[1e-5, 12.0], [0.1, 0.0]])
    points = anywhere(20, np.random.default_rng(0), space)
    one, other = (mixture(each, space, np.ones(2)).log_density(points) for each in (outside, ends))
    assert np.isfinite(one).all()
    assert one.tolist() == other.tolist()


def test_weights_say_which_of_the_observed_count() -> None:
    space = {"choice": SPACE["choice"]}
    made = mixture(np.array([[0.0], [1.0]]), space, np.array([1.0, 8.0]))
    shares = density(made, np.array([[0.0], [1.0], [2.0]]))
    assert shares[2] < shares[0] < shares[1]
    assert shares.sum() == pytest.approx(1.0)


def test_the_latest_bad_trials_count_in_full_and_those_before_them_less_and_less() -> None:
    assert recency_weights(0).tolist() == []
    assert recency_weights(25).tolist() == [1.0] * 25
    many = recency_weights(60)
    assert (many[-25:] == 1).all()
    assert (np.diff(many[:35]) > 0).all()
    assert many[0] == pytest.approx(1 / 60)
