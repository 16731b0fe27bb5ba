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
    """The share `keep` of the fields stays, rounded up; those that a list reads, and an item's own, always do."""

    kind: Literal["fields"] = "fields"
    follows: ClassVar[frozenset[str]] = frozenset({"rows", "hashing", "dimensions", "fields"})
    keep: float = Limits(gt=0.0, lt=1.0)

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `dropped`, the tables (by place in the schema) that are not read any more."""
        added, means = contributions(model, context)
        columns = model.bank.layout.columns()
        scores = {table: float(added[:, columns[table]].sum(dim=1).square().mean()) for table in _free(model)}
        several = model.bank.layout.fields - math.ceil(self.keep * model.bank.layout.fields)
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
    """Fields that may go: of a model with vectors of users and items, one of the user's stays, too."""
    layout = model.bank.layout
    bound = read_by_lists(model)
    if has_vectors(model.dense):
        bound |= set(model.dense.item_fields)
        bound |= {next(field for field in range(layout.fields) if field not in model.dense.item_fields)}
    return [field for field in range(layout.fields) if field not in bound and field in layout.plain]
