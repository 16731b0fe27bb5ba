"""Embedding rows pruned: those of all inputs together that matter least give up their rows.

Pruned ids read the out-of-vocabulary row, or fall into buckets; either starts as their mean weighted by frequency.
Ids follow falling frequency, so pruning by it cuts each vocabulary's tail. Whatever stays, the encoder that ships gives
the new ids itself: the file holds no remapping. Buckets of numbers and of hashes are never pruned.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field as Limits

from autocompress.compress.tables import (
    give_new_ids,
    keep_dimensions,
    read_by_lists,
    read_counts,
    restore_new_ids,
)
from autocompress.compress.transform import Context, Record
from autocompress.data.encode import prunable
from autocompress.models.recommender import Recommender
from autocompress.schema import Frozen


class Rows(Frozen):
    """`keep` is the share of the vocabulary rows of all categorical inputs together that stay.

    `importance` of a row: how often it is read, its `norm`, or `gradient`, |gradient x row| summed over a sample, rows
    that are not in it by frequency. `buckets`, a share of the pruned rows of a table, is what they are thrown into; at
    0 they read the out-of-vocabulary row. A field that is left with that row alone is not read any more: what stands
    there becomes a constant.
    """

    kind: Literal["rows"] = "rows"
    follows: ClassVar[frozenset[str]] = frozenset({"rows", "channels", "quantize_tables"})
    keep: float = Limits(gt=0.0, le=1.0)
    importance: Literal["frequency", "norm", "gradient"] = "frequency"
    buckets: float = Limits(0.0, ge=0.0, lt=1.0)

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: that of `give_new_ids`, and `constant`, tables of which one row was left."""
        scores = _scores(model, context, self.importance)
        record = give_new_ids(model, new_ids(scores, self.keep, self.buckets), context)
        constant = _constant_fields(model)
        layout, means = model.bank.layout, torch.zeros(model.bank.layout.width)
        for table in constant:
            columns = layout.columns()[table]
            means[[columns[dim] for dim in layout.kept.get(table, range(len(columns)))]] = model.bank.table(table)[0]
        keep_dimensions(model, dict.fromkeys(constant, ()), means)
        return {**record, "constant": constant}

    def restore(self, model: Recommender, record: Record) -> None:
        """Gives the tables the recorded rows."""
        restore_new_ids(model, record)
        keep_dimensions(model, dict.fromkeys(record["constant"], ()), None)

    def in_steps(self, several: int) -> tuple[Rows, ...]:
        """So many times the same share."""
        return (self.model_copy(update={"keep": self.keep ** (1 / several)}),) * several

    def keeps(self) -> str | None:
        """Share of rows."""
        return f"{100 * self.keep:.3g} % of rows"

    def storage_bits(self) -> int | None:
        """Nothing is quantized."""
        return None


def new_ids(scores: dict[int, NDArray[np.float64]], keep: float, buckets: float) -> dict[int, NDArray[np.int64]]:
    """The new id of every row of each table of `scores` (rows,), that of row 0 left out of account.

    The `keep` share of all rows that scores highest stays, in order, rounded up; of equal ones those with lower ids.
    """
    ids = np.concatenate([*(np.arange(1, len(each)) for each in scores.values()), np.empty(0, dtype=np.int64)])
    every = np.concatenate([*(each[1:] for each in scores.values()), np.empty(0)])
    highest = np.lexsort((ids, -every))[: math.ceil(keep * len(every))]
    kept = np.zeros(len(every), dtype=bool)
    kept[highest] = True
    found, start = {}, 0
    for table, each in scores.items():
        stays = np.concatenate([[False], kept[start : start + len(each) - 1]])
        start += len(each) - 1
        new = np.zeros(len(each), dtype=np.int64)
        new[stays] = 1 + np.arange(stays.sum())
        gone = np.flatnonzero(~stays)[1:]
        if several := math.ceil(buckets * len(gone)):
            new[gone] = 1 + stays.sum() + np.arange(len(gone)) % several
        found[table] = new
    return found


def _scores(model: Recommender, context: Context, importance: str) -> dict[int, NDArray[np.float64]]:
    plain = model.bank.layout.plain
    tables = [table for table, prunes in enumerate(prunable(context.schema)) if prunes and table in plain]
    counts = read_counts(model, context)
    if importance == "frequency":
        return {table: counts[table].astype(np.float64) for table in tables}
    if importance == "norm":
        return {table: model.bank.stored(table).detach().norm(dim=1).double().numpy() for table in tables}
    gradients = _gradients(model, context)
    found = {}
    for table in tables:
        group, start = model.bank.layout.places[table]
        part = gradients[group][start : start + model.bank.layout.rows[table]]
        score = (part * model.bank.stored(table).detach()).sum(dim=1).abs().double().numpy()
        # rows that the sample does not read come behind the least of those that it reads, by frequency
        least = score[score > 0].min(initial=1.0)
        found[table] = np.where(score > 0, score, least * counts[table] / (1.0 + counts[table].max()))
    return found


def _constant_fields(model: Recommender) -> list[int]:
    layout = model.bank.layout
    bound = read_by_lists(model) | set(getattr(model.dense, "item_fields", ()))
    fields = [table for table in layout.plain if table < layout.fields]
    constant = [t for t in fields if layout.rows[t] == 1 and t not in bound]
    # a model of no field at all would have nothing to look up
    return constant if len(constant) < len(fields) else constant[1:]


def _gradients(model: Recommender, context: Context) -> list[torch.Tensor]:
    """Of the sample's mean cross-entropy by what each group stores, dense, in eval mode; none is left behind."""
    training = model.training
    model.eval().zero_grad(set_to_none=True)
    logits = model(context.ids, context.numbers)
    torch.autograd.backward(torch.nn.functional.binary_cross_entropy_with_logits(logits, context.labels))
    tables = list(model.bank.tables)
    found = [torch.zeros_like(each) if each.grad is None else each.grad.to_dense() for each in tables]
    model.zero_grad(set_to_none=True)
    model.train(training)
    return found
