"""Large tables as sums of two small ones, by quotient and remainder of an id.

Shi et al., "Compositional Embeddings Using Complementary Partitions", KDD 2020. Both parts start where their sum is
nearest to the table, rows weighted by how often they are read.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field as Limits

from autocompress.compress.apart import store_apart, take_apart
from autocompress.compress.transform import Context, Record
from autocompress.models.compositional import Compositional
from autocompress.models.recommender import Recommender
from autocompress.schema import Frozen

ROUNDS = 10
"""Of fitting one part to what the other leaves."""


class CompositionalTables(Frozen):
    """Tables of at least `least_rows` rows are sums of about the share `keep` of their rows, in fp16."""

    kind: Literal["compositional"] = "compositional"
    follows: ClassVar[frozenset[str]] = frozenset(
        {"rows", "hashing", "fields", "dimensions", "channels", "low_rank", "weights", "codebook_dense"}
        | {"quantize_dense", "mixed_dense_bits"}
    )
    keep: float = Limits(gt=0.0, lt=1.0)
    least_rows: int = Limits(1_000, ge=2)

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `tables`, those that become sums; both parts are tensors of the model."""
        return take_apart(model, context, self.least_rows, self._made, _fit)

    def restore(self, model: Recommender, record: Record) -> None:
        """Switches the recorded tables to sums."""
        store_apart(model, record["tables"], self._made)

    def _made(self, rows: int, dim: int) -> Compositional:
        return Compositional(rows, dim, math.ceil(self.keep * rows))

    def keeps(self) -> str | None:
        """Share of rows."""
        return f"{100 * self.keep:.3g} % of large tables' rows, summed"

    def storage_bits(self) -> int | None:
        """fp16 is how they are stored, not what is chosen."""
        return None


def _fit(module: Compositional, table: torch.Tensor, reads: NDArray[np.int64]) -> None:
    rows, weight = table.double(), torch.from_numpy(reads).double() + 1.0
    ids = torch.arange(len(rows))
    places = (torch.div(ids, module.divisor, rounding_mode="floor"), ids % module.divisor)
    parts = [torch.zeros(len(part), module.dim, dtype=torch.float64) for part in (module.quotients, module.remainders)]
    for step in range(2 * ROUNDS):
        mine = (step + 1) % 2
        left = rows - parts[1 - mine][places[1 - mine]]
        sums = torch.zeros_like(parts[mine]).index_add_(0, places[mine], weight[:, None] * left)
        total = torch.zeros(len(sums), dtype=torch.float64).index_add_(0, places[mine], weight)
        parts[mine] = sums / total[:, None]
    module.quotients.copy_(parts[0])
    module.remainders.copy_(parts[1])
