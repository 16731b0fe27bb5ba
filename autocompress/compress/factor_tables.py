"""Tables stored at a lower rank, with one matrix back to their dimension that all of them share.

Lan et al., "ALBERT", ICLR 2020, factorise a vocabulary's table so. The matrix is trained on with the dense part.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field as Limits

from autocompress.compress.factored import restore_ranks, store_at_ranks
from autocompress.compress.transform import Context, Record
from autocompress.models.recommender import Recommender
from autocompress.schema import Frozen


class FactorTables(Frozen):
    """Tables of every dimension keep the share `keep` of its numbers, rounded, at least one."""

    kind: Literal["factor_tables"] = "factor_tables"
    follows: ClassVar[frozenset[str]] = frozenset(
        {"rows", "hashing", "fields", "dimensions", "product_quantization", "compositional", "tensor_train"}
        | {"channels", "low_rank", "weights", "codebook_dense", "quantize_dense", "mixed_dense_bits"}
    )
    keep: float = Limits(gt=0.0, lt=1.0)

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `ranks`, {table: rank} of those that become shorter."""
        layout = model.bank.layout
        ranks = {table: max(1, round(self.keep * layout.dim(table))) for table in layout.plain}
        ranks = {table: rank for table, rank in ranks.items() if rank < layout.dim(table)}
        store_at_ranks(model, ranks, context)
        return {"ranks": {str(table): rank for table, rank in ranks.items()}}

    def restore(self, model: Recommender, record: Record) -> None:
        """Switches the recorded tables to their ranks."""
        restore_ranks(model, {int(table): rank for table, rank in record["ranks"].items()})

    def keeps(self) -> str | None:
        """Share of a row's numbers."""
        return f"{100 * self.keep:.3g} % of rows' numbers"

    def storage_bits(self) -> int | None:
        """Nothing is quantized."""
        return None
