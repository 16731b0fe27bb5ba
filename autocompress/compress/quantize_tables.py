"""Embedding rows in 8 or 4 bits with one fp16 scale per row, packed in the file (Guan et al., arXiv:1911.02079).

Training afterwards sees the quantized rows (straight-through gradients), so recovery is quantization-aware.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from autocompress.compress.transform import Context, Record
from autocompress.models.dcnv2 import Recommender
from autocompress.schema import Frozen


class QuantizeTables(Frozen):
    """Every table at `bits` bits per value."""

    kind: Literal["quantize_tables"] = "quantize_tables"
    follows: ClassVar[frozenset[str]] = frozenset({"rows", "channels", "quantize_tables"})
    bits: Literal[8, 4] = 8

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `bits`."""
        record = {"bits": self.bits}
        self.restore(model, record)
        return record

    def restore(self, model: Recommender, record: Record) -> None:
        """Switches the bank to the recorded bits."""
        model.bank.bits = int(record["bits"])

    def keeps(self) -> str | None:
        """Nothing is removed."""
        return None

    def storage_bits(self) -> int | None:
        """Bits of a table value."""
        return self.bits
