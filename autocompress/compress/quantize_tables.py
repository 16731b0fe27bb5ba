"""Embedding values in 8, 4 or 2 bits, packed in the file, with one fp16 scale per row or one step per field.

Guan et al., arXiv:1911.02079 (rows). Training afterwards sees the quantized values, so recovery is quantization-aware;
the step of a field is trained with them (`models/learned_step.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Literal

import torch

from autocompress.compress.tables import read_counts
from autocompress.compress.transform import Context, Record
from autocompress.models.bank_layout import Precision
from autocompress.models.recommender import Recommender
from autocompress.models.row_quantization import field_scale
from autocompress.schema import Frozen

BITS = (8, 4, 2)


class QuantizeTables(Frozen):
    """Every table that is stored as rows, at `bits` bits per value; `granularity` says what shares a scale."""

    kind: Literal["quantize_tables"] = "quantize_tables"
    follows: ClassVar[frozenset[str]] = frozenset(
        {"rows", "hashing", "fields", "dimensions", "product_quantization", "compositional", "tensor_train"}
        | {"factor_tables", "mixed_dimensions", "quantize_tables"}
        | {"channels", "low_rank", "weights", "codebook_dense", "quantize_dense", "mixed_dense_bits"}
    )
    bits: Literal[8, 4, 2] = 8
    granularity: Literal["row", "field"] = "row"

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `bits`, and whether every row has a scale (`per_row`); steps are tensors of the model."""
        record: Record = {"bits": self.bits, "per_row": self.granularity == "row"}
        self.restore(model, record)
        counts = read_counts(model, context)
        with torch.no_grad():
            for name, step in model.bank.steps.items():
                table = model.bank.stored(int(name)).detach()
                frequency = torch.from_numpy(counts[int(name)]).float() + 1.0
                step.fill_(math.log(field_scale(table, frequency, self.bits)))
        return record

    def restore(self, model: Recommender, record: Record) -> None:
        """Switches the tables to the recorded bits."""
        precision = Precision(int(record["bits"]), record["per_row"])
        store_in_bits(model, dict.fromkeys(model.bank.layout.plain, precision))

    def in_steps(self, several: int) -> tuple[QuantizeTables, ...]:
        """Bits that fall to these: the last of 8, 4, 2, and 8 as long as there are more stages."""
        falling = [bits for bits in BITS if bits >= self.bits]
        padded = [BITS[0]] * (several - len(falling)) + falling[-several:]
        return tuple(self.model_copy(update={"bits": bits}) for bits in padded)

    def keeps(self) -> str | None:
        """Nothing is removed."""
        return None

    def storage_bits(self) -> int | None:
        """Bits of a table value."""
        return self.bits


def store_in_bits(model: Recommender, precisions: Mapping[int, Precision]) -> None:
    """Switches tables to their precisions."""
    layout = model.bank.layout
    model.bank = model.bank.changed(replace(layout, precisions={**layout.precisions, **precisions}))
