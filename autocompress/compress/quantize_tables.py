"""Embedding values in 8, 4 or 2 bits, packed in the file, with one fp16 scale per row or one scale per field.

Guan et al., arXiv:1911.02079 (rows). Training afterwards sees the quantized values (straight-through gradients), so
recovery is quantization-aware.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch

from autocompress.compress.transform import Context, Record
from autocompress.models.recommender import Recommender
from autocompress.models.row_quantization import field_scale
from autocompress.schema import Frozen


class QuantizeTables(Frozen):
    """Every table at `bits` bits per value; `granularity` says what shares a scale."""

    kind: Literal["quantize_tables"] = "quantize_tables"
    follows: ClassVar[frozenset[str]] = frozenset(
        {"rows", "channels", "low_rank", "weights", "quantize_dense", "product_quantization", "factor_tables"}
        | {"quantize_tables"}
    )
    bits: Literal[8, 4, 2] = 8
    granularity: Literal["row", "field"] = "row"

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `bits`, and `scales` per field (chosen once, weighted by training frequency) or None."""
        scales = None
        if self.granularity == "field":
            scales = [self._scale(model, context, index) for index in range(len(model.bank.layout.rows))]
        record: Record = {"bits": self.bits, "scales": scales}
        self.restore(model, record)
        return record

    def _scale(self, model: Recommender, context: Context, index: int) -> float:
        if index in model.bank.layout.products:
            return 1.0  # its pieces are no rows: nothing reads it
        table = model.bank.stored(index).detach()
        frequency = torch.from_numpy(context.counts[index][: len(table)]).float() + 1.0
        return field_scale(table, frequency, self.bits)

    def restore(self, model: Recommender, record: Record) -> None:
        """Switches the bank to the recorded bits and scales."""
        model.bank.quantize(int(record["bits"]), record["scales"])

    def keeps(self) -> str | None:
        """Nothing is removed."""
        return None

    def storage_bits(self) -> int | None:
        """Bits of a table value."""
        return self.bits
