"""Tables stored at lower ranks: what `factor_tables` and `mixed_dimensions` have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from autocompress.compress.tables import read_counts
from autocompress.compress.transform import Context
from autocompress.models.recommender import Recommender


def store_at_ranks(model: Recommender, ranks: Mapping[int, int], context: Context) -> None:
    """Stores tables at those ranks, below their dimensions; tables of the same dimension and rank share one matrix.

    It starts from the directions in which the rows that are read move most.
    """
    old, counts = model.bank, read_counts(model, context)
    restore_ranks(model, ranks)
    with torch.no_grad():
        for index, group in enumerate(model.bank.layout.groups):
            mine = [table for table in group.tables if table in ranks]
            to_dim = model.bank.map_of(index)
            if not mine or to_dim is None:
                continue
            stored = torch.cat([old.stored(table).double() for table in mine])
            read = torch.cat([torch.from_numpy(counts[table]).double() + 1.0 for table in mine])
            main = torch.linalg.eigh(stored.T @ (read[:, None] * stored)).eigenvectors.flip(1)[:, : group.rank]
            to_dim.copy_(main.T)
            for table in mine:
                model.bank.stored(table).copy_(old.stored(table).double() @ main)


def restore_ranks(model: Recommender, ranks: Mapping[int, int]) -> None:
    """Switches tables to their ranks."""
    layout = model.bank.layout
    model.bank = model.bank.changed(replace(layout, ranks={**layout.ranks, **ranks}))
