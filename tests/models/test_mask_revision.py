"""Masks that change in training: how many weights are gone when, and which."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from autocompress.models.mask_revision import SETTLED, Revision, revised
from autocompress.models.sparse_linear import SparseLinear

shares = st.floats(0.0, 0.99)


def layer_of(revision: Revision | None, *, by_movement: bool = False) -> SparseLinear:
    torch.manual_seed(0)
    return SparseLinear(nn.Linear(20, 10), revision, by_movement=by_movement)


def gone(layer: SparseLinear) -> float:
    return 1.0 - float(layer.mask.mean())


@given(shares, shares, st.lists(st.floats(0.0, 1.0), min_size=2, max_size=5))
def test_sparsity_runs_one_way_from_its_first_value_to_its_last(first: float, last: float, times: list[float]) -> None:
    revision = Revision(first, last)
    assert revision.sparsity(0.0) == pytest.approx(first)
    assert revision.sparsity(SETTLED) == revision.sparsity(1.0) == pytest.approx(last)
    found = [revision.sparsity(time) for time in sorted(times)]
    rises = [(after - before) * (1 if last >= first else -1) for before, after in pairwise(found)]
    assert min(rises) >= -1e-12


def test_gradually_all_weights_are_there_first_and_the_wanted_share_is_gone_at_the_end() -> None:
    layer = layer_of(Revision(0.0, 0.8))
    seen = []
    for step in range(11):
        layer.revise(step / 10)
        seen.append(gone(layer))
    assert seen[0] == 0.0
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(0.8, abs=0.01)
    assert seen[7:] == [seen[-1]] * 4, "the last of the training changes nothing"


def test_a_second_training_does_not_bring_back_what_the_first_removed() -> None:
    layer = layer_of(Revision(0.0, 0.8))
    for progress in (0.0, 0.5, 1.0):
        layer.revise(progress)
    before = layer.mask.clone()
    for progress in (0.0, 0.3, 1.0):
        layer.revise(progress)
    assert torch.equal(layer.mask, before)


def test_a_weight_that_grows_behind_its_mask_returns_and_the_smallest_goes() -> None:
    layer = layer_of(Revision(0.5, 0.5))
    layer.revise(0.0)
    hidden = (layer.mask == 0).nonzero()[0].tolist()
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    inputs = torch.zeros(1, 20)
    inputs[0, hidden[1]] = 1.0
    (-5.0 * layer(inputs)[0, hidden[0]]).backward()
    optimizer.step()
    layer.revise(0.2)
    assert float(layer.mask[hidden[0], hidden[1]]) == 1.0
    assert gone(layer) == pytest.approx(0.5)


def test_without_a_revision_a_masked_weight_learns_nothing() -> None:
    layer = layer_of(None)
    layer.mask[0] = 0.0
    layer(torch.ones(1, 20)).sum().backward()
    assert layer.weight.grad is not None
    assert float(layer.weight.grad[0].abs().sum()) == 0.0
    assert float(layer.weight.grad[1].abs().min()) > 0.0


def test_scores_fall_where_a_step_moves_a_weight_towards_zero() -> None:
    layer = layer_of(Revision(0.5, 0.5), by_movement=True)
    scores = layer.scores
    assert scores is not None
    layer.revise(0.0)
    inputs = torch.rand(30, 20)
    loss = layer(inputs).square().sum()
    loss.backward()
    assert scores.grad is not None
    effective = layer.mask * layer.weight.detach().half().float()
    output = inputs @ effective.T + layer.bias.detach()
    by_hand = (2 * output).T @ inputs * layer.weight.detach()
    torch.testing.assert_close(scores.grad, by_hand, rtol=1e-4, atol=1e-4)


def test_only_modules_that_can_be_revised_are_found() -> None:
    sparse = SparseLinear(nn.Linear(3, 3))
    (found,) = revised(nn.Sequential(nn.Linear(3, 3), sparse))
    assert found is sparse
