"""Dense weights as names of pieces: vector quantization of every linear layer, whose book goes on training.

Gong et al., "Compressing Deep Convolutional Networks using Vector Quantization", arXiv:1412.6115; with pieces of one
number it is the weight sharing of Han et al., "Deep Compression", ICLR 2016.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field as Limits
from torch import nn

from autocompress.compress.linear_layers import inputs_of_layers, replaced
from autocompress.compress.product_quantization import clusters
from autocompress.compress.transform import Context, Record
from autocompress.models.codebook_linear import CodebookLinear
from autocompress.models.product_codes import PIECES
from autocompress.models.recommender import Recommender
from autocompress.schema import Frozen


class CodebookDense(Frozen):
    """Every linear layer but those whose outputs are logits takes a byte per `piece` weights.

    Layers of fewer than `least_weights` weights, or whose inputs `piece` does not divide, stay: their book would be as
    large as they are.
    """

    kind: Literal["codebook_dense"] = "codebook_dense"
    follows: ClassVar[frozenset[str]] = frozenset(
        {"rows", "hashing", "fields", "dimensions", "channels", "low_rank", "quantize_tables", "mixed_table_bits"}
    )
    piece: Literal[1, 2, 4] = 2
    least_weights: int = Limits(4_096, ge=4 * PIECES)

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `layers`; codes and books are tensors of the model."""
        weights = {}
        for name in inputs_of_layers(model, context):
            layer = model.dense.get_submodule(name)
            assert isinstance(layer, nn.Linear)
            if layer.weight.numel() >= self.least_weights and layer.in_features % self.piece == 0:
                weights[name] = layer.weight.detach()
        record: Record = {"layers": list(weights)}
        self.restore(model, record)
        with torch.no_grad():
            for name, weight in weights.items():
                points = np.ascontiguousarray(weight.numpy().reshape(-1, self.piece))
                codes, book = clusters(points, np.ones(len(points)), np.arange(len(points)))
                layer = model.dense.get_submodule(name)
                layer.get_buffer("codes").copy_(torch.from_numpy(codes))
                layer.get_parameter("book").copy_(torch.from_numpy(book))
        return record

    def restore(self, model: Recommender, record: Record) -> None:
        """Replaces the recorded layers."""
        for name in record["layers"]:
            replaced(model.dense, name, partial(CodebookLinear, piece=self.piece))

    def keeps(self) -> str | None:
        """Bits per weight."""
        return f"{8 / self.piece:.3g} bits of dense weights"

    def storage_bits(self) -> int | None:
        """Pieces are floats: what is chosen is how many share a code."""
        return None
