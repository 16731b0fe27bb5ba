"""Adagrad (Duchi et al., JMLR 2011) on the rows of a table that a batch has seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.functional import embedding_bag

EPSILON = 1e-10


def _of_all_processes(indices: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The lookups of every process, `values` as the gradient of the mean of their losses."""
    if not distributed.is_initialized():
        return indices, values
    world = distributed.get_world_size()
    lengths = [torch.zeros(1, dtype=torch.int64, device=indices.device) for _ in range(world)]
    distributed.all_gather(lengths, torch.tensor([len(indices)], device=indices.device))
    # lists differ in length, and what is gathered may not
    longest = max(int(length) for length in lengths)
    found = []
    for mine in (indices, values):
        padded = torch.cat([mine, mine.new_zeros(longest - len(mine), *mine.shape[1:])])
        parts = [torch.empty_like(padded) for _ in range(world)]
        distributed.all_gather(parts, padded)
        found.append(torch.cat([part[: int(length)] for part, length in zip(parts, lengths, strict=True)]))
    return found[0], found[1] / world


class SparseAdagrad(torch.optim.Optimizer):
    """What `torch.optim.Adagrad` computes from sparse gradients of tables (rows, d), made for many cores.

    torch adds up the gradients of an id that stands more than once in a batch on one thread, then makes three sparse
    tensors. Here they are sorted by row and summed by `embedding_bag`, which knows how to use every core.

    Processes that train together exchange the rows that they have read, so that their tables stay alike.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, accumulator: float) -> None:
        """`accumulator` is the first value of each element's sum of squared gradients.

        A group's `decay`, 0 until it is set, adds `decay` x the row to the gradient once for each lookup of a row: L2
        on what a batch has read, for the price of the rows and not of the lookups.
        """
        super().__init__(parameters, {"lr": lr, "decay": 0.0})
        for group in self.param_groups:
            for table in group["params"]:
                self.state[table]["sum"] = torch.full_like(table, accumulator)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step on every table that has a gradient, which is sparse. `closure` is called first, if there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is not None:
                    self._step(table, group["lr"], group["decay"])
        return loss

    def _step(self, table: nn.Parameter, rate: float, decay: float) -> None:
        assert table.grad is not None
        # not coalesced: one index and one row of values per lookup
        indices, values = _of_all_processes(table.grad._indices()[0], table.grad._values())
        order = indices.argsort()
        rows, counts = torch.unique_consecutive(indices[order], return_counts=True)
        gradient = embedding_bag(order, values, counts.cumsum(0) - counts, mode="sum")
        kept = table.index_select(0, rows)
        if decay:
            gradient.addcmul_(kept, counts[:, None].to(kept.dtype), value=decay)
        sums = self.state[table]["sum"]
        squares = sums.index_select(0, rows).addcmul_(gradient, gradient)
        sums.index_copy_(0, rows, squares)
        # rows are distinct, so they can be written back: adding in place takes one thread
        table.index_copy_(0, rows, kept.addcdiv_(gradient, squares.sqrt_().add_(EPSILON), value=-rate))
