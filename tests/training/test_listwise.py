"""The rows of a group compete, whatever rows of other groups stand between them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autocompress.training.listwise import listwise_loss


def drawn(rows: int, groups: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    logits = 5 * torch.randn(rows, 2, generator=draw)
    labels = (torch.rand(rows, 2, generator=draw) < 0.3).float()
    return logits, labels, 3 * torch.randint(0, groups, (rows,), generator=draw) - 1


@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 999))
def test_it_is_the_mean_of_the_softmax_losses_of_the_groups(rows: int, groups: int, seed: int) -> None:
    logits, labels, of = drawn(rows, groups, seed)
    losses = []
    for group in np.unique(of.numpy()):
        for task in range(2):
            inside, wanted = logits[of == group, task], labels[of == group, task]
            if wanted.sum():
                losses.append(float(torch.nn.functional.cross_entropy(inside, wanted / wanted.sum())))
    wanted_mean = float(np.mean(losses)) if losses else 0.0
    assert float(listwise_loss(logits, labels, of)) == pytest.approx(wanted_mean, abs=1e-4)


def test_large_logits_give_finite_gradients() -> None:
    logits = torch.tensor([[1e4], [-1e4], [0.0]], requires_grad=True)
    loss = listwise_loss(logits, torch.tensor([[0.0], [1.0], [0.0]]), torch.zeros(3, dtype=torch.int64))
    torch.autograd.backward(loss)
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())
