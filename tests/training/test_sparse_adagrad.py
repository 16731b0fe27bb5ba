from __future__ import annotations

from collections.abc import Callable

import torch

from autocompress.training.sparse_adagrad import SparseAdagrad


def trained(optimizer_of: Callable[[list[torch.nn.Parameter]], torch.optim.Optimizer]) -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    table = torch.nn.Parameter(torch.randn(40, 3, generator=draw))
    optimizer = optimizer_of([table])
    for _ in range(5):
        ids = torch.randint(0, 30, (16, 4), generator=draw)  # rows 30 to 39 are never seen, others several times
        optimizer.zero_grad()
        found = torch.nn.functional.embedding(ids, table, sparse=True)
        torch.autograd.backward((found * torch.randn(found.shape, generator=draw)).sum())
        optimizer.step()
    return table.detach()


def test_it_computes_what_torch_s_adagrad_computes() -> None:
    ours = trained(lambda tables: SparseAdagrad(tables, lr=0.1, accumulator=1e-3))
    torch._C._set_check_sparse_tensor_invariants(False)  # torch warns unless the choice is made
    theirs = trained(lambda tables: torch.optim.Adagrad(tables, lr=0.1, initial_accumulator_value=1e-3))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_rows_that_no_batch_saw_stay_what_they_were() -> None:
    before = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    after = trained(lambda tables: SparseAdagrad(tables, lr=0.1, accumulator=1e-3))
    assert torch.equal(after[30:], before[30:])
    assert not torch.equal(after[:30], before[:30])


def test_a_step_without_a_gradient_changes_nothing() -> None:
    table = torch.nn.Parameter(torch.ones(4, 2))
    SparseAdagrad([table], lr=0.1, accumulator=1.0).step()
    assert torch.equal(table, torch.ones(4, 2))


def test_decay_is_the_gradient_of_l2_on_every_lookup() -> None:
    draw = torch.Generator().manual_seed(0)
    first = torch.randn(8, 3, generator=draw)
    ids = torch.tensor([[1, 1, 2], [7, 1, 2]])  # row 1 is looked up three times
    ends = []
    for decay in (0.0, 0.3):
        table = torch.nn.Parameter(first.clone())
        optimizer = SparseAdagrad([table], lr=0.1, accumulator=1e-3)
        optimizer.param_groups[0]["decay"] = decay
        found = torch.nn.functional.embedding(ids, table, sparse=True)
        penalty = 0.0 if decay else 0.15 * found.square().sum()
        torch.autograd.backward(found.sin().sum() + penalty)
        optimizer.step()
        ends.append(table.detach())
    torch.testing.assert_close(ends[1], ends[0])
