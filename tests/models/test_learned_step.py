"""Steps of quantization that are trained: values as they are stored, gradients as they were published."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autocompress.models.learned_step import rounded
from autocompress.models.row_quantization import quantize_to_step

values = st.lists(st.floats(-20.0, 20.0), min_size=1, max_size=12)


@given(values, st.floats(0.01, 3.0))
def test_values_are_whole_steps_within_the_ends(drawn: list[float], step: float) -> None:
    found = rounded(torch.tensor(drawn), torch.tensor(step), -7, 7) / step
    assert torch.allclose(found, found.round(), atol=1e-3)
    assert float(found.abs().max()) <= 7.001


@given(values, st.floats(0.01, 3.0))
def test_the_gradient_of_a_step_is_that_of_the_paper(drawn: list[float], size: float) -> None:
    step, inputs = torch.tensor(size, requires_grad=True), torch.tensor(drawn, requires_grad=True)
    torch.autograd.backward(rounded(inputs, step, -7, 7).sum())
    wanted = 0.0
    for each in torch.tensor(drawn):
        scaled = float(each / step.detach())
        wanted += min(7.0, max(-7.0, float(torch.tensor(scaled).round()))) - (scaled if abs(scaled) <= 7 else 0.0)
    assert step.grad is not None
    assert inputs.grad is not None
    assert float(step.grad) == pytest.approx(wanted, abs=2e-3 * len(drawn) * (1 + 20 / size))
    inside = (torch.tensor(drawn) / size).abs() <= 7
    near_an_end = ((torch.tensor(drawn) / size).abs() - 7).abs() < 1e-3
    assert bool((((inputs.grad > 0) == inside) | near_an_end).all())


@pytest.mark.parametrize(("bits", "levels"), [(2, 4), (4, 15), (8, 255)])
def test_a_tables_step_tells_as_many_levels_apart_as_its_bits_allow(bits: int, levels: int) -> None:
    many = torch.linspace(-200.0, 200.0, 100_001)
    found = quantize_to_step(many, torch.tensor(1.0), bits)
    assert len(set(found.tolist())) == levels
