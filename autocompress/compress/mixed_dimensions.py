"""Mixed dimensions: the more rows a table has, the fewer numbers in each; a matrix brings them to one dimension.

Ginart et al., "Mixed Dimension Embeddings", ISIT 2021: a table's dimension falls with a power of its cardinality.
Tables that come to the same number share the matrix.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import Field as Limits

from autocompress.compress.factored import restore_ranks, store_at_ranks
from autocompress.compress.transform import Context, Record
from autocompress.models.recommender import Recommender
from autocompress.schema import Frozen


class MixedDimensions(Frozen):
    """Of d numbers a row of a table of R rows stores d (`full_rows` / R)^`alpha`, to the nearest power of two.

    Tables of at most `full_rows` rows stay whole.
    """

    kind: Literal["mixed_dimensions"] = "mixed_dimensions"
    follows: ClassVar[frozenset[str]] = frozenset(
        {"rows", "hashing", "fields", "dimensions", "product_quantization", "compositional", "tensor_train"}
        | {"channels", "low_rank", "weights", "codebook_dense", "quantize_dense", "mixed_dense_bits"}
    )
    alpha: float = Limits(gt=0.0, le=1.0)
    full_rows: int = Limits(100, ge=1)

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `ranks`, {table: rank} of those that become shorter."""
        layout = model.bank.layout
        ranks = {table: self._rank(layout.rows[table], layout.dim(table)) for table in layout.plain}
        ranks = {table: rank for table, rank in ranks.items() if rank < layout.dim(table)}
        store_at_ranks(model, ranks, context)
        return {"ranks": {str(table): rank for table, rank in ranks.items()}}

    def _rank(self, rows: int, dim: int) -> int:
        share = min(1.0, self.full_rows / rows) ** self.alpha
        return min(dim, 1 << max(0, round(math.log2(dim * share))))

    def restore(self, model: Recommender, record: Record) -> None:
        """Switches the recorded tables to their ranks."""
        restore_ranks(model, {int(table): rank for table, rank in record["ranks"].items()})

    def keeps(self) -> str | None:
        """How fast dimensions fall."""
        return f"dimensions falling with rows^{self.alpha:.2g}"

    def storage_bits(self) -> int | None:
        """Nothing is quantized."""
        return None
