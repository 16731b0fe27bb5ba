"""Ranges of activations: what they hold, and what they leave out."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autocompress.compress.activation_range import Calibration, activation_range

every = pytest.mark.parametrize("calibration", ["minmax", "percentile", "entropy"])


@every
@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=50))
def test_a_range_holds_zero_and_nothing_that_was_not_seen(calibration: Calibration, values: list[float]) -> None:
    low, high = activation_range(torch.tensor(values), calibration)
    assert min(0.0, *values, 0.0) <= low <= 0.0 <= high <= max(0.0, *values, 0.0)


def test_minmax_holds_everything() -> None:
    assert activation_range(torch.tensor([[-1.0, 2.0], [0.5, 7.0]]), "minmax") == (-1.0, 7.0)


@pytest.mark.parametrize("calibration", ["percentile", "entropy"])
def test_a_few_outliers_do_not_stretch_the_range(calibration: Calibration) -> None:
    torch.manual_seed(0)
    values = torch.cat([torch.randn(100_000), torch.tensor([40.0, -35.0])])
    low, high = activation_range(values, calibration)
    assert -20.0 < low < -2.0
    assert 2.0 < high < 20.0


def test_entropy_keeps_the_whole_range_of_values_that_fill_it_evenly() -> None:
    low, high = activation_range(torch.linspace(-1.0, 3.0, 20_000), "entropy")
    assert (low, high) == pytest.approx((-1.0, 3.0), rel=0.1)


def test_zeros_behind_a_relu_do_not_count() -> None:
    torch.manual_seed(0)
    values = torch.randn(50_000)
    without = activation_range(values[values > 0], "entropy")
    assert activation_range(values.relu(), "entropy") == without
