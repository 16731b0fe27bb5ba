"""Whole fields removed: a field that is dropped costs no lookup, no byte, and no column of the log.

What its columns would add to the loss is estimated to first order (Molchanov et al., CVPR 2019); in their place stand
their means, which go on training.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import Field as Limits

from autocompress.compress.tables import contributions, keep_dimensions, read_by_lists
from autocompress.compress.transform import Context, Record
from autocompress.models.recommender import Recommender
from autocompress.models.vectors import has_vectors
from autocompress.schema import Frozen


class Fields(Frozen):
    """Of the fields that are read the share `keep` stays, rounded up; those of lists and of an item always do."""

    kind: Literal["fields"] = "fields"
    follows: ClassVar[frozenset[str]] = frozenset({"rows", "hashing", "dimensions", "fields"})
    keep: float = Limits(gt=0.0, lt=1.0)

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `dropped`, the tables (by place in the schema) that are not read any more."""
        added, means = contributions(model, context)
        columns = model.bank.layout.columns()
        scores = {table: float(added[:, columns[table]].sum(dim=1).square().mean()) for table in _free(model)}
        read = [field for field in range(model.bank.layout.fields) if model.bank.layout.dim(field)]
        several = min(len(read) - math.ceil(self.keep * len(read)), len(read) - 1)
        dropped = sorted(sorted(scores, key=scores.__getitem__)[:several])
        keep_dimensions(model, {table: () for table in dropped}, means)
        return {"dropped": dropped}

    def restore(self, model: Recommender, record: Record) -> None:
        """Drops the recorded tables."""
        keep_dimensions(model, {table: () for table in record["dropped"]}, None)

    def keeps(self) -> str | None:
        """Share of fields."""
        return f"{100 * self.keep:.3g} % of fields"

    def storage_bits(self) -> int | None:
        """Nothing is quantized."""
        return None


def _free(model: Recommender) -> list[int]:
    """Fields that may go: of a model with vectors of users and items, a field of the user stays, too, if it has one."""
    layout = model.bank.layout
    bound = read_by_lists(model)
    if has_vectors(model.dense):
        bound |= set(model.dense.item_fields)
        bound |= set([field for field in layout.plain if field not in model.dense.item_fields][:1])
    return [field for field in layout.plain if field < layout.fields and field not in bound]
