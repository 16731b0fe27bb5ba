"""Tables in 8, 4 or 2 bits, each in its own: what harms the scores most keeps the most.

One knob for all tables: each is tried at each number of bits on a sample, then the bits are allotted exactly
(`allocation.py`). Every row has a scale, which counts as the 16 bits that it is.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field as Limits

from autocompress.compress.allocation import allocate
from autocompress.compress.quantize_tables import store_in_bits
from autocompress.compress.sensitivity import table_harms
from autocompress.compress.transform import Context, Record
from autocompress.models.bank_layout import Precision
from autocompress.models.recommender import Recommender
from autocompress.schema import Frozen

CHOICES = (8, 4, 2)
SCALE_BITS = 16


class MixedTableBits(Frozen):
    """Tables that are stored as rows take `average_bits` per number at most, scales counted, if 2 bits reach that."""

    kind: Literal["mixed_table_bits"] = "mixed_table_bits"
    follows: ClassVar[frozenset[str]] = frozenset(
        {"rows", "hashing", "fields", "dimensions", "product_quantization", "compositional", "tensor_train"}
        | {"factor_tables", "mixed_dimensions"}
        | {"channels", "low_rank", "weights", "codebook_dense", "quantize_dense", "mixed_dense_bits"}
    )
    average_bits: float = Limits(ge=2.0, le=16.0)

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `bits`, {table: bits}."""
        tables = {str(table): table for table in model.bank.layout.plain}
        shapes = {name: model.bank.stored(table).shape for name, table in tables.items()}
        costs = {name: {bits: bits + SCALE_BITS / dim for bits in CHOICES} for name, (_, dim) in shapes.items()}
        sizes = {name: rows * dim for name, (rows, dim) in shapes.items()}
        bits = allocate(sizes, costs, table_harms(model, context, tables, CHOICES), self.average_bits)
        record: Record = {"bits": bits}
        self.restore(model, record)
        return record

    def restore(self, model: Recommender, record: Record) -> None:
        """Switches the tables to the recorded bits."""
        store_in_bits(model, {int(table): Precision(bits, per_row=True) for table, bits in record["bits"].items()})

    def keeps(self) -> str | None:
        """Bits of a number."""
        return f"{self.average_bits:.3g} bits of tables' numbers on average"

    def storage_bits(self) -> int | None:
        """Not one number of bits."""
        return None
