from __future__ import annotations

import pytest
import torch

from autocompress.models.dropout import Dropout


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_it_drops_its_share_and_keeps_the_mean(probability: float) -> None:
    torch.manual_seed(0)
    found = Dropout(probability).train()(torch.ones(999, 333))
    assert float((found == 0).float().mean()) == pytest.approx(probability, abs=0.004)
    assert float(found.mean()) == pytest.approx(1.0, abs=0.01)
    assert len(found.unique()) == 2


def test_every_byte_of_a_draw_drops_alike_and_neighbours_do_not_agree_more_than_chance() -> None:
    torch.manual_seed(0)
    dropped = (Dropout(0.5).train()(torch.ones(80_000)) == 0).float()
    assert float((dropped.view(-1, 8).mean(0) - 0.5).abs().max()) < 0.02
    assert float((dropped[1:] == dropped[:-1]).float().mean()) == pytest.approx(0.5, abs=0.01)


def test_the_gradient_passes_where_the_input_passed() -> None:
    torch.manual_seed(0)
    inputs = torch.randn(64, 7, requires_grad=True)
    found = Dropout(0.25).train()(inputs)
    (gradient,) = torch.autograd.grad(found.sum(), inputs)
    assert torch.equal(gradient == 0, found == 0)


@pytest.mark.parametrize(("probability", "training"), [(0.0, True), (0.3, False)])
def test_nothing_happens_in_eval_mode_or_without_a_probability(probability: float, training: bool) -> None:
    inputs = torch.randn(5, 3)
    assert Dropout(probability).train(training)(inputs) is inputs


def test_equal_seeds_drop_the_same() -> None:
    found = []
    for _ in range(2):
        torch.manual_seed(3)
        found.append(Dropout(0.4).train()(torch.ones(100)))
    assert torch.equal(*found)
