"""Dense layers in fewer bits: int8 with static or per-row activation scales, or weights alone in 16, 8 or 4 bits.

Static scales: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", CVPR 2018. The task head stays in float: it is a few hundred bytes and its rounding would show in every
score.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal, Self

from pydantic import model_validator
from torch import nn

from autocompress.compress.activation_range import Calibration, activation_range
from autocompress.compress.linear_layers import inputs_of_layers, replaced
from autocompress.compress.transform import Context, Record
from autocompress.models.quantized_linear import QuantizedLinear
from autocompress.models.recommender import Recommender
from autocompress.models.row_scaled_linear import RowScaledLinear
from autocompress.models.weight_only_linear import WeightOnlyLinear
from autocompress.schema import Frozen


class QuantizeDense(Frozen):
    """Every linear layer but those whose outputs are logits, its weights at `bits` bits.

    `activations`: `static`, uint8 by a range that is calibrated (`calibration`); `row`, int8 by the largest magnitude
    of each row; `float`, as they are: the file shrinks, the arithmetic stays. Integers multiply 8 bits alone. With
    `static` the steps of activations and weights are trained afterwards (Esser et al., ICLR 2020); weights have one per
    output, or with `weights` `tensor` one in all.
    """

    kind: Literal["quantize_dense"] = "quantize_dense"
    follows: ClassVar[frozenset[str]] = frozenset(
        {"rows", "hashing", "fields", "dimensions", "channels", "low_rank", "quantize_tables", "mixed_table_bits"}
    )
    bits: Literal[16, 8, 4] = 8
    activations: Literal["static", "row", "float"] = "static"
    calibration: Calibration = "percentile"
    weights: Literal["channel", "tensor"] = "channel"

    @model_validator(mode="after")
    def _integers_have_eight_bits(self) -> Self:
        if self.activations != "float" and self.bits != 8:
            raise ValueError(f"bits {self.bits} needs activations=float: integers are multiplied at 8 bits")
        if self.activations != "static" and self.weights == "tensor":
            raise ValueError("weights tensor needs activations=static")
        return self

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `layers`, those that are quantized, and for static scales `ranges`, [low, high] of their inputs."""
        seen = inputs_of_layers(model, context)
        record: Record = {"layers": list(seen)}
        if self.activations == "static":
            record["ranges"] = {name: list(activation_range(inputs, self.calibration)) for name, inputs in seen.items()}
        self.restore(model, record)
        return record

    def restore(self, model: Recommender, record: Record) -> None:
        """Replaces the recorded layers."""
        for name in record["layers"]:
            ends = record.get("ranges", {}).get(name)
            replaced(model.dense, name, partial(self._packed, ends=ends))

    def _packed(self, linear: nn.Linear, ends: list[float] | None) -> nn.Module:
        if self.activations == "row":
            return RowScaledLinear(linear)
        if ends is None:
            return WeightOnlyLinear(linear, self.bits)
        return QuantizedLinear(linear, *ends, per_channel=self.weights == "channel")

    def keeps(self) -> str | None:
        """Nothing is removed."""
        return None

    def storage_bits(self) -> int | None:
        """Bits of a dense weight."""
        return self.bits
