"""Latencies that constraints bound, at a batch size of somebody's own."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from autocompress.search.results import in_force, violations
from autocompress.search.settings import Constraints

QUALITY = {"click": {"auc": 0.8}}


@pytest.mark.parametrize("name", ["p99_64", "p50_1", "p50_8192"])
def test_a_percentile_at_a_batch_size_is_bounded_by_name(name: str) -> None:
    constraints = Constraints(latency={name: 2.0})
    assert in_force(constraints) == {f"latency.{name}": 2.0}
    found = violations(constraints, QUALITY, QUALITY, 1, 1.0, "auc", {name: 3.0, "p99_7": 1.0})
    assert found == {f"latency.{name}": pytest.approx(0.5)}


@pytest.mark.parametrize("name", ["p95_64", "p99", "p99_0", "p99_9000", "64", "p99@64"])
def test_another_name_is_refused_with_what_is_allowed(name: str) -> None:
    with pytest.raises(ValidationError, match=r"write p50_64 or p99_64, with a batch size from 1 to 8192"):
        Constraints(latency={name: 2.0})


def test_what_was_never_measured_keeps_no_bound() -> None:
    found = violations(Constraints(latency={"p99_64": 2.0}), QUALITY, QUALITY, 1, 1.0, "auc", {})
    assert found == {"latency.p99_64": math.inf}
