"""What plans are expected to come to."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import DotProduct, Matern

from autocompress.search.objectives import Vector
from autocompress.search.surrogate import ABSENT, LENGTHS, NOISES, TREND, Surrogate, chances, features, fitted

SPACE: dict[str, BaseDistribution] = {
    "rows.keep": FloatDistribution(0.02, 1.0, log=True),
    "channels.when": CategoricalDistribution([True, False]),
    "channels.ratio": FloatDistribution(0.1, 0.5),
    "quantize_tables.bits": CategoricalDistribution([2, 4, 8]),
}


def plans(several: int, seed: int) -> list[dict[str, Any]]:
    draw = np.random.default_rng(seed)
    return [
        {
            "rows.keep": float(np.exp(draw.uniform(np.log(0.02), 0.0))),
            "channels.when": bool(draw.random() < 0.5),
            "channels.ratio": float(draw.uniform(0.1, 0.5)),
            "quantize_tables.bits": int(draw.choice([2, 4, 8])),
        }
        for _ in range(several)
    ]


def vector_of(plan: dict[str, Any]) -> Vector:
    keep, bits = plan["rows.keep"], plan["quantize_tables.bits"]
    ratio = plan["channels.ratio"] if plan["channels.when"] else 0.0
    return 0.004 * (1 - keep) + 0.01 * ratio + 0.01 / bits, float(np.log10(keep * bits)), -0.4 * ratio


def test_a_knob_of_a_method_that_is_left_out_is_absent() -> None:
    on = {"rows.keep": 1.0, "channels.when": True, "channels.ratio": 0.5, "quantize_tables.bits": 2}
    rows = features([on, {**on, "channels.when": False}], SPACE)
    assert rows[0].tolist() == [1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    assert rows[1].tolist() == [1.0, 0.0, 1.0, ABSENT, 1.0, 0.0, 0.0]


def test_plans_that_were_not_tried_come_near_to_what_they_will_be() -> None:
    tried, asked = plans(60, seed=0), plans(30, seed=1)
    surrogate = Surrogate(tried, [vector_of(plan) for plan in tried], SPACE)
    found = np.array(surrogate.drawn(asked, 64, np.random.default_rng(0)))
    assert found.shape == (30, 64, 3)
    true = np.array([vector_of(plan) for plan in asked])
    assert (np.abs(np.median(found, axis=1) - true).mean(axis=0) < 0.15 * true.std(axis=0)).all()


def test_what_is_far_from_all_that_was_tried_is_uncertain() -> None:
    tried = [{**plan, "quantize_tables.bits": 8} for plan in plans(40, seed=0)]
    surrogate = Surrogate(tried, [vector_of(plan) for plan in tried], SPACE)
    draw = np.random.default_rng(0)
    near, far = (np.array(surrogate.drawn([{**tried[0], "quantize_tables.bits": bits}], 200, draw)) for bits in (8, 2))
    assert np.ptp(far[0, :, 1]) > 2 * np.ptp(near[0, :, 1])


def test_processes_are_those_of_a_library() -> None:
    draw = np.random.default_rng(0)
    inputs, asked = draw.random((40, 7)), draw.random((9, 7))
    targets = np.stack([np.tanh(inputs @ draw.normal(size=7)), inputs[:, 0] ** 2, draw.normal(size=40)], axis=1)
    for fit, column in zip(fitted(inputs, targets), targets.T, strict=True):
        others = [
            GaussianProcessRegressor(TREND * DotProduct(1.0) + Matern(length, nu=2.5), alpha=noise, optimizer=None)
            for length, noise in itertools.product(LENGTHS, NOISES)
        ]
        best = max((each.fit(inputs, column) for each in others), key=lambda each: each.log_marginal_likelihood_value_)
        for mine, theirs in zip(fit.predict(asked), best.predict(asked, return_std=True), strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_of_no_plan_nothing_is_drawn() -> None:
    tried = plans(4, seed=0)
    surrogate = Surrogate(tried, [vector_of(plan) for plan in tried], SPACE)
    assert surrogate.drawn([], 3, np.random.default_rng(0)) == []


def test_a_constraint_is_kept_where_plans_like_it_kept_it() -> None:
    tried = plans(80, seed=0)
    kept = [plan["rows.keep"] < 0.2 for plan in tried]
    small, large = ({**tried[0], "rows.keep": keep} for keep in (0.05, 0.8))
    found = chances(tried, kept, SPACE)([small, large])
    assert found[0] > 0.8
    assert found[1] < 0.2
    assert (found >= 0.01).all()


@pytest.mark.parametrize("same", [0.0, 0.01])
def test_an_objective_that_never_changes_does_no_harm(same: float) -> None:
    tried = plans(10, seed=0)
    surrogate = Surrogate(tried, [(same, vector_of(plan)[1], -0.5) for plan in tried], SPACE)
    found = np.array(surrogate.drawn(tried[:2], 5, np.random.default_rng(0)))
    assert found[..., 0] == pytest.approx(same, abs=1e-4)
    assert found[..., 2] == pytest.approx(-0.5, abs=1e-4)
