"""Dense weights in 16, 8 or 4 bits, each layer in its own: what harms the scores most keeps the most.

One knob for all layers: each is tried at each number of bits on a sample, then the bits are allotted exactly
(`allocation.py`). Activations stay floats: the file shrinks, the arithmetic stays.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal

from pydantic import Field as Limits

from autocompress.compress.allocation import allocate
from autocompress.compress.linear_layers import replaced
from autocompress.compress.sensitivity import layer_harms
from autocompress.compress.transform import Context, Record
from autocompress.models.recommender import Recommender
from autocompress.models.weight_only_linear import WeightOnlyLinear
from autocompress.schema import Frozen

CHOICES = (16, 8, 4)


class MixedDenseBits(Frozen):
    """Linear layers but those whose outputs are logits take `average_bits` per weight at most, where 4 bits reach that.

    The fp16 scales of blocks are counted.
    """

    kind: Literal["mixed_dense_bits"] = "mixed_dense_bits"
    follows: ClassVar[frozenset[str]] = frozenset(
        {"rows", "hashing", "fields", "dimensions", "channels", "low_rank", "quantize_tables", "mixed_table_bits"}
    )
    average_bits: float = Limits(ge=4.0, le=16.0)

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `bits`, {layer: bits}."""
        harms, costs = layer_harms(model, context, CHOICES)
        sizes = {name: model.dense.get_submodule(name).get_parameter("weight").numel() for name in harms}
        record: Record = {"bits": allocate(sizes, costs, harms, self.average_bits)}
        self.restore(model, record)
        return record

    def restore(self, model: Recommender, record: Record) -> None:
        """Replaces the recorded layers."""
        for name, bits in record["bits"].items():
            replaced(model.dense, name, partial(WeightOnlyLinear, bits=bits))

    def keeps(self) -> str | None:
        """Bits of a weight."""
        return f"{self.average_bits:.3g} bits of dense weights on average"

    def storage_bits(self) -> int | None:
        """Not one number of bits."""
        return None
