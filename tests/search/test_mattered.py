"""Which parameters moved which objective."""

from __future__ import annotations

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from autocompress.search.mattered import LEAST_TRIALS, importances


def study_of(trials: int) -> optuna.Study:
    """`rows.keep` decides size and quality, `tower` latency; `channels.ratio` exists in every second trial."""
    study = optuna.create_study(directions=["minimize"] * 3)
    draw = np.random.default_rng(0)
    for number in range(trials):
        keep, tower = float(draw.random()), int(draw.integers(3))
        params: dict[str, float | int] = {"rows.keep": keep, "tower": tower}
        distributions: dict[str, optuna.distributions.BaseDistribution] = {
            "rows.keep": FloatDistribution(0, 1),
            "tower": CategoricalDistribution([0, 1, 2]),
        }
        if number % 2:
            params["channels.ratio"], distributions["channels.ratio"] = float(draw.random()), FloatDistribution(0, 1)
        study.add_trial(
            create_trial(params=params, distributions=distributions, values=[0.01 * keep, keep, float(tower)])
        )
    study.add_trial(create_trial(state=TrialState.PRUNED))
    return study


def test_what_decides_an_objective_has_the_largest_share_of_it() -> None:
    found = importances(study_of(120))
    assert found["rows.keep"]["size"] > 0.6
    assert found["tower"]["latency"] > 0.6
    for objective in ("quality", "size", "latency"):
        assert sum(each[objective] for each in found.values()) == pytest.approx(1.0)
    assert found["channels.ratio"]["size"] < 0.2


def test_of_few_trials_nothing_is_said() -> None:
    assert importances(study_of(LEAST_TRIALS - 1)) == {}
    assert "channels.ratio" not in importances(study_of(LEAST_TRIALS + 2))
