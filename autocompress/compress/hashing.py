"""The hashing trick: the ids of a large table share fewer rows, thrown together by their remainder.

Weinberger et al., ICML 2009. Ids follow falling frequency, so the most frequent ones, as many as there are rows, never
meet; a row starts as the mean of its ids' rows weighted by frequency.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field as Limits

from autocompress.compress.tables import give_new_ids, restore_new_ids
from autocompress.compress.transform import Context, Record
from autocompress.data.encode import prunable
from autocompress.models.recommender import Recommender
from autocompress.schema import Frozen


class Hashing(Frozen):
    """Tables of at least `least_rows` rows whose ids come from a vocabulary keep the share `keep` of their rows."""

    kind: Literal["hashing"] = "hashing"
    follows: ClassVar[frozenset[str]] = frozenset({"rows"})
    keep: float = Limits(gt=0.0, lt=1.0)
    least_rows: int = Limits(1_000, ge=2)

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: that of `give_new_ids`."""
        new_ids = {}
        for table, prunes in enumerate(prunable(context.schema)):
            rows = model.bank.layout.rows[table]
            if prunes and rows >= self.least_rows and table in model.bank.layout.plain:
                new = 1 + np.arange(-1, rows - 1) % math.ceil(self.keep * (rows - 1))
                new[0] = 0
                new_ids[table] = new
        return give_new_ids(model, new_ids, context)

    def restore(self, model: Recommender, record: Record) -> None:
        """Gives the tables the recorded rows."""
        restore_new_ids(model, record)

    def keeps(self) -> str | None:
        """Share of rows."""
        return f"{100 * self.keep:.3g} % of rows, shared"

    def storage_bits(self) -> int | None:
        """Nothing is quantized."""
        return None
