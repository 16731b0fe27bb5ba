"""Embedding dimensions removed field by field: those that add least to the loss for their bytes.

Large tables pay for a dimension with every row, so theirs go first. What a column adds is estimated to first order
(Molchanov et al., CVPR 2019); in its place stands its mean, which goes on training.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field as Limits

from autocompress.compress.tables import contributions, keep_dimensions, read_by_lists
from autocompress.compress.transform import Context, Record
from autocompress.models.recommender import Recommender
from autocompress.schema import Frozen


class Dimensions(Frozen):
    """The share `keep` of the fields' table numbers stays; each field keeps one dimension, tables of lists all."""

    kind: Literal["dimensions"] = "dimensions"
    follows: ClassVar[frozenset[str]] = frozenset({"rows", "hashing", "fields"})
    keep: float = Limits(gt=0.0, lt=1.0)

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `kept`, {table: dimensions that stay, ascending} of those that lose any."""
        added, means = contributions(model, context)
        layout, columns = model.bank.layout, model.bank.layout.columns()
        free = [t for t in layout.plain if t < layout.fields and t not in read_by_lists(model)]
        scores = {
            (table, dim): float(added[:, columns[table][dim]].square().mean()) / layout.rows[table]
            for table in free
            for dim in layout.kept.get(table, range(layout.dims[table]))
        }
        left = {table: list(layout.kept.get(table, range(layout.dims[table]))) for table in free}
        total = sum(layout.rows[table] * len(dims) for table, dims in left.items())
        wanted, touched = self.keep * total, set()
        for table, dim in sorted(scores, key=scores.__getitem__):
            if total <= wanted:
                break
            if len(left[table]) > 1:
                left[table].remove(dim)
                touched.add(table)
                total -= layout.rows[table]
        kept = {table: tuple(left[table]) for table in sorted(touched)}
        keep_dimensions(model, kept, means)
        return {"kept": {str(table): list(dims) for table, dims in kept.items()}}

    def restore(self, model: Recommender, record: Record) -> None:
        """Tables keep the recorded dimensions."""
        keep_dimensions(model, {int(table): tuple(dims) for table, dims in record["kept"].items()}, None)

    def keeps(self) -> str | None:
        """Share of the tables' numbers."""
        return f"{100 * self.keep:.3g} % of dimensions"

    def storage_bits(self) -> int | None:
        """Nothing is quantized."""
        return None
