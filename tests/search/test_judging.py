"""Who is stopped while constraints are set: what is of no use to the person who set them stops nobody."""

from __future__ import annotations

import math
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, create_trial

from autocompress.config.compose import compose
from autocompress.search.judging import Judging
from autocompress.search.learning_curve import GATE
from autocompress.search.objectives import BOUNDS

LARGER = (0.0, math.log10(200_000), -0.3)


def a_file(broken: dict[str, float], **bounds: float) -> FrozenTrial:
    """Judged under those bounds."""
    vector = [0.0, math.log10(100_000), -0.4]
    rungs = [{"rung": name, "vector": vector} for name in (GATE, "one-shot")]
    return create_trial(values=vector, user_attrs={"rungs": rungs, BOUNDS: bounds}, constraints=broken)


def verdict(*files: FrozenTrial, **constraints: Any) -> str:
    study = optuna.create_study(directions=["minimize"] * 3)
    study.add_trials(files)
    (config,) = compose(["search=ads", *(f"constraints.{name}={value}" for name, value in constraints.items())])
    return Judging(len(files), 2, config, study, finishes=False)(GATE, LARGER)


def test_a_plan_that_a_file_dominates_stops_at_the_gate() -> None:
    assert verdict() == "go on"
    assert verdict(a_file({})) == "stop"
    assert verdict(a_file({"auc_drop": -0.001}, auc_drop=0.001), auc_drop=0.001) == "stop"


def test_a_file_that_breaks_a_constraint_stops_nobody() -> None:
    assert verdict(a_file({"group_gap": 0.01}, group_gap=0.02), group_gap=0.02) == "go on"


def test_a_file_that_was_judged_under_other_constraints_stops_nobody() -> None:
    assert verdict(a_file({}), max_bytes=100_000) == "go on"
    assert verdict(a_file({"max_bytes": -0.5}, max_bytes=200_000), max_bytes=100_000) == "go on"


@pytest.mark.parametrize(("bound", "found"), [(199_999, "stop"), (200_000, "go on")])
def test_a_plan_too_large_stops_at_the_gate_once_any_file_fits(bound: int, found: str) -> None:
    worse = a_file({"max_bytes": -0.5}, max_bytes=bound)
    worse.values = [0.01, math.log10(100_000), -0.2]
    assert verdict(worse, max_bytes=bound) == found
    assert verdict(max_bytes=bound) == "go on"
    assert verdict(a_file({"max_bytes": 0.1}, max_bytes=90_000), max_bytes=90_000) == "go on"
