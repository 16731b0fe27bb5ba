"""Tables stored at a lower rank, with one matrix back to their dimension that all of them share.

Lan et al., "ALBERT", ICLR 2020, factorise a vocabulary's table so. The matrix starts from the directions in which the
rows that are read move most, and is trained on with the dense part.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field as Limits

from autocompress.compress.transform import Context, Record
from autocompress.models.recommender import Recommender
from autocompress.schema import Frozen


class FactorTables(Frozen):
    """Tables of every dimension keep the share `keep` of its numbers, rounded, at least one."""

    kind: Literal["factor_tables"] = "factor_tables"
    follows: ClassVar[frozenset[str]] = frozenset(
        {"rows", "channels", "low_rank", "weights", "quantize_dense", "product_quantization"}
    )
    keep: float = Limits(gt=0.0, lt=1.0)

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `ranks`, {dimension: rank} of those that become shorter."""
        old, layout = model.bank, model.bank.layout
        plain = [(index, *group) for index, group in enumerate(layout.groups) if layout.piece_of(index) is None]
        ranks = {dim: max(1, round(self.keep * dim)) for _, dim, _ in plain if dim not in layout.ranks}
        record: Record = {"ranks": {str(dim): rank for dim, rank in ranks.items() if rank < dim}}
        self.restore(model, record)
        with torch.no_grad():
            for index, dim, tables in plain:
                if str(dim) not in record["ranks"]:
                    continue
                read = [torch.from_numpy(context.counts[t][: layout.rows[t]]).double() + 1.0 for t in tables]
                stored = old.tables[index].double()
                energy = stored.T @ (torch.cat(read)[:, None] * stored)
                main = torch.linalg.eigh(energy).eigenvectors.flip(1)[:, : record["ranks"][str(dim)]]
                model.bank.maps[str(dim)].copy_(main.T)
                for table in tables:
                    model.bank.stored(table).copy_(old.stored(table).double() @ main)
        return record

    def restore(self, model: Recommender, record: Record) -> None:
        """Switches the recorded dimensions to their ranks."""
        model.bank = model.bank.with_ranks({int(dim): rank for dim, rank in record["ranks"].items()})

    def keeps(self) -> str | None:
        """Share of a row's numbers."""
        return f"{100 * self.keep:.3g} % of rows' numbers"

    def storage_bits(self) -> int | None:
        """Nothing is quantized."""
        return None
