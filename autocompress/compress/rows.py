"""Embedding rows pruned by frequency: the rarest ids of all inputs together give up their rows.

Pruned ids read the out-of-vocabulary row, which starts as their mean weighted by frequency. Because ids follow
falling frequency, each input keeps a prefix of its vocabulary, and the shipped encoder maps the rest to 0 itself:
the file holds no remapping. Buckets of numbers and of hashes are never pruned.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field as Limits
from torch import nn

from autocompress.compress.transform import Context, Record
from autocompress.data.encode import prunable
from autocompress.models.recommender import Recommender
from autocompress.schema import Frozen, Schema


class Rows(Frozen):
    """`keep` is the share of the vocabulary rows of all categorical inputs together that stay."""

    kind: Literal["rows"] = "rows"
    follows: ClassVar[frozenset[str]] = frozenset({"rows"})
    keep: float = Limits(gt=0.0, le=1.0)

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `rows`, the number of rows that each table keeps, out-of-vocabulary included."""
        kept = kept_rows(context.schema, context.counts, self.keep)
        rows = [min(have, keep) for have, keep in zip(model.bank.layout.rows, kept, strict=True)]
        weights = [np.maximum(counts, 1) for counts in context.counts]
        _shrink(model, rows, weights)
        return {"rows": rows}

    def restore(self, model: Recommender, record: Record) -> None:
        """Cuts the tables to the recorded rows."""
        _shrink(model, record["rows"], None)

    def keeps(self) -> str | None:
        """Share of rows."""
        return f"{100 * self.keep:.3g} % of rows"

    def storage_bits(self) -> int | None:
        """Nothing is quantized."""
        return None


def kept_rows(schema: Schema, counts: list[NDArray[np.int64]], keep: float) -> list[int]:
    """Rows per table when only the `keep` share of the vocabularies' most frequent ids stays; ties at the cut go."""
    vocabularies = prunable(schema)
    ids = [table_counts[1:] for table_counts, prunes in zip(counts, vocabularies, strict=True) if prunes]
    ranked = np.sort(np.concatenate([*ids, np.empty(0, dtype=np.int64)]))
    wanted = int(np.ceil(keep * len(ranked)))
    cut = ranked[len(ranked) - wanted] if wanted else np.inf
    rows = []
    for table_counts, prunes in zip(counts, vocabularies, strict=True):
        # a vocabulary is sorted by falling frequency, so the ids at or above the cut are its prefix
        rows.append(1 + int((table_counts[1:] >= cut).sum()) if prunes else len(table_counts))
    return rows


def _shrink(model: Recommender, rows: list[int], weights: list[NDArray[np.int64]] | None) -> None:
    old = model.bank
    new = old.resized(rows)
    with torch.no_grad():
        for index, keep in enumerate(rows):
            table = old.stored(index)
            new.stored(index).copy_(table[:keep])
            if weights is not None and keep < len(table):
                weight = torch.from_numpy(weights[index][keep : len(table)].astype(np.float32))
                new.stored(index)[0] = (weight[:, None] * table[keep:]).sum(0) / weight.sum()
    model.bank = new
    assert all(isinstance(table, nn.Parameter) for table in new.tables)
