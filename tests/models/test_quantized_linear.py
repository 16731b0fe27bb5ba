"""int8 layers: which steps their activations take."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from autocompress.models.quantized_linear import ACTIVATION_LEVELS, QuantizedLinear

sizes = st.floats(1e-3, 1e3)


@given(sizes, st.sampled_from([3, 7]))
def test_no_value_of_a_symmetric_four_bit_table_lies_half_way_between_two_levels(size: float, ends: int) -> None:
    layer = QuantizedLinear(nn.Linear(1, 1), -ends * size, ends * size)
    steps = np.arange(-ends, ends + 1) * size / layer.scale
    assert np.abs(steps - np.floor(steps) - 0.5).min() > 0.01


@given(sizes | st.just(0.0), sizes | st.just(0.0))
def test_the_range_and_zero_fit_in_the_levels(below: float, above: float) -> None:
    layer = QuantizedLinear(nn.Linear(1, 1), -below, above)
    assert 0 <= layer.zero_point <= ACTIVATION_LEVELS
    lowest, highest = -layer.zero_point * layer.scale, (ACTIVATION_LEVELS - layer.zero_point) * layer.scale
    if layer.zero_point > 0:
        assert lowest <= -below * (1 - 1e-9)
    if layer.zero_point < ACTIVATION_LEVELS:
        assert highest >= above * (1 - 1e-9)
    assert layer.scale <= max((below + above) / ACTIVATION_LEVELS * 1.5, 1e-6)
