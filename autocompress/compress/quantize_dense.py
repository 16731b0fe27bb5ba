"""Dense layers in int8: calibrated static activation ranges, one weight scale per output channel.

Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR
2018. The task head stays in float: it is a few hundred bytes and its rounding would show in every score.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import nn

from autocompress.compress.transform import Context, Record
from autocompress.models.heads.head import gives_logits
from autocompress.models.quantized_linear import QuantizedLinear
from autocompress.models.recommender import Recommender
from autocompress.schema import Frozen

TAIL = {"minmax": 0.0, "percentile": 1e-4}
"""Share of calibration activations that may fall outside the range, on either side."""


class QuantizeDense(Frozen):
    """Every linear layer but those whose outputs are logits, at 8 bits."""

    kind: Literal["quantize_dense"] = "quantize_dense"
    follows: ClassVar[frozenset[str]] = frozenset({"rows", "channels", "quantize_tables"})
    bits: Literal[8] = 8
    calibration: Literal["minmax", "percentile"] = "percentile"

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `ranges`, {layer: [low, high]} of each quantized layer's input."""
        ranges = _input_ranges(model, context, TAIL[self.calibration])
        record: Record = {"ranges": ranges}
        self.restore(model, record)
        return record

    def restore(self, model: Recommender, record: Record) -> None:
        """Replaces the recorded layers."""
        for name, (low, high) in record["ranges"].items():
            parent, _, leaf = name.rpartition(".")
            linear = model.dense.get_submodule(name)
            assert isinstance(linear, nn.Linear)
            setattr(model.dense.get_submodule(parent), leaf, QuantizedLinear(linear, low, high))

    def keeps(self) -> str | None:
        """Nothing is removed."""
        return None

    def storage_bits(self) -> int | None:
        """Bits of a dense weight."""
        return self.bits


def _input_ranges(model: Recommender, context: Context, tail: float) -> dict[str, list[float]]:
    seen: dict[str, torch.Tensor] = {}
    hooks = []
    for name, module in model.dense.named_modules():
        if isinstance(module, nn.Linear) and not gives_logits(name):

            def remember(_: nn.Module, inputs: tuple[torch.Tensor], name: str = name) -> None:
                seen[name] = inputs[0].detach().float().flatten()

            hooks.append(module.register_forward_pre_hook(remember))
    training = model.training
    model.eval()
    with torch.no_grad():
        model(context.ids, context.numbers)
    model.train(training)
    for hook in hooks:
        hook.remove()
    ranges = {}
    for name, values in seen.items():
        outside = max(1, int(tail * values.numel()))
        low, high = values.kthvalue(outside).values, values.kthvalue(values.numel() - outside + 1).values
        ranges[name] = [float(low), float(high)]
    return ranges
