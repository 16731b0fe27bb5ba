"""The tables of a model: how often each row is read, and what is put in the place of some of their ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from autocompress.compress.transform import Context, Record
from autocompress.models.recommender import Recommender


def read_counts(model: Recommender, context: Context) -> list[NDArray[np.int64]]:
    """How often training reads every row of each table, int64 (rows,): ids that share a row are added up."""
    found = []
    for table, rows in enumerate(model.bank.layout.rows):
        counts = context.counts[table]
        if table in model.bank.renumbered:
            new = model.bank.get_buffer(f"new_ids_{table}").numpy()
            found.append(np.bincount(new, counts, rows).astype(np.int64))
        else:
            reads = counts[:rows].copy()
            reads[0] += counts[rows:].sum()
            found.append(reads)
    return found


def give_new_ids(model: Recommender, new_ids: Mapping[int, NDArray[np.int64]], context: Context) -> Record:
    """Gives each row of some tables (rows,) a new id; rows that share one become their mean, weighted by reads.

    Record: `rows` of every table afterwards, and `renumbered`, {table: ids of the data} of those whose ids are more
    than cut; the ids themselves are tensors of the model.
    """
    bank, counts = model.bank, read_counts(model, context)
    rows = list(bank.layout.rows)
    buffers: dict[int, torch.Tensor] = {}
    for table, new in new_ids.items():
        rows[table] = int(new.max()) + 1
        if table in bank.renumbered:
            buffers[table] = torch.from_numpy(new)[bank.get_buffer(f"new_ids_{table}")]
        elif not np.array_equal(new, np.where(np.arange(len(new)) < rows[table], np.arange(len(new)), 0)):
            of_data = np.zeros(len(context.counts[table]), dtype=np.int64)
            of_data[: len(new)] = new
            of_data[len(new) :] = new[0]
            buffers[table] = torch.from_numpy(of_data)
    changed = bank.changed(replace(bank.layout, rows=tuple(rows)), new_ids=buffers)
    with torch.no_grad():
        for table, new in new_ids.items():
            weight = torch.from_numpy(np.maximum(counts[table], 1).astype(np.float64))
            # what was never read does not count beside what was
            weight[0] = float(counts[table][0]) if (new[1:] == 0).any() else 1.0
            target, old = torch.from_numpy(new), bank.stored(table).double()
            sums = torch.zeros(rows[table], old.shape[1], dtype=torch.float64)
            sums.index_add_(0, target, weight[:, None] * old)
            total = torch.zeros(rows[table], dtype=torch.float64).index_add_(0, target, weight)
            changed.stored(table).copy_(sums / total[:, None])
    model.bank = changed
    return {"rows": rows, "renumbered": {str(table): len(new) for table, new in buffers.items()}}


def restore_new_ids(model: Recommender, record: Record) -> None:
    """The bank of a record of `give_new_ids`; ids and rows are loaded with the tensors."""
    buffers = {int(table): torch.zeros(ids, dtype=torch.int64) for table, ids in record["renumbered"].items()}
    model.bank = model.bank.changed(replace(model.bank.layout, rows=tuple(record["rows"])), new_ids=buffers)


def keep_dimensions(model: Recommender, kept: Mapping[int, tuple[int, ...]], means: torch.Tensor | None) -> None:
    """Tables keep only those of the dimensions of their fields' columns; in place of the others stand `means` (width,).

    `kept` counts them from the table's first, before anything was removed. `means` None leaves zeros.
    """
    if not kept:
        return
    old = model.bank
    new = old.changed(replace(old.layout, kept={**old.layout.kept, **kept}))
    with torch.no_grad():
        for table, dims in kept.items():
            if dims:
                had = list(old.layout.kept.get(table, range(old.layout.dims[table])))
                new.stored(table).copy_(old.stored(table)[:, [had.index(dim) for dim in dims]])
        if new.constants is not None and means is not None:
            before = set(old.layout.constant)
            for place, column in enumerate(new.layout.constant):
                if column not in before:
                    new.constants[place] = means[column]
    model.bank = new


def read_by_lists(model: Recommender) -> set[int]:
    """Tables that the entries of a list read."""
    return {each.table for each in model.bank.layout.lists}


def contributions(model: Recommender, context: Context) -> tuple[torch.Tensor, torch.Tensor]:
    """What each column of the bank's output adds to the loss, to first order, float32 (n, width); and its mean.

    Gradient times the distance from the mean (Molchanov et al., CVPR 2019), row by row of the sample.
    """
    training = model.training
    model.eval()
    columns = model.bank(context.ids, context.numbers).detach().requires_grad_()
    logits = model.dense(columns)
    losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, context.labels, reduction="sum")
    (gradient,) = torch.autograd.grad(losses, columns)
    model.train(training)
    values = columns.detach()
    means = values.mean(0)
    return gradient * (values - means), means
