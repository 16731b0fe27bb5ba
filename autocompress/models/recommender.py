"""A recommender: an embedding bank and the dense part over it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from autocompress.models.embedding import EmbeddingBank
from autocompress.models.shape import Shape, field_dims
from autocompress.schema import Schema


class Recommender(nn.Module):
    """ids (n, fields) int64 -> logits (n, tasks) float32."""

    def __init__(self, bank: EmbeddingBank, dense: nn.Module) -> None:
        super().__init__()
        self.bank, self.dense = bank, dense

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Logits, one column per task."""
        logits: torch.Tensor = self.dense(self.bank(ids))
        return logits


def build(shape: Shape, schema: Schema, rows: Sequence[int]) -> Recommender:
    """A freshly initialised model. `rows[i]` are the embedding rows of field i, out-of-vocabulary included."""
    dims = field_dims(shape.embedding_dim, schema.field_names)
    return Recommender(EmbeddingBank(rows, dims), shape.dense(schema, dims))
