"""Multi-task DCNv2: shared embeddings, cross network beside a tower, a linear head with one output per task."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from autocompress.models.cross import CrossLayer
from autocompress.models.embedding import EmbeddingBank
from autocompress.models.shape import ModelShape


class Dense(nn.Module):
    """Everything above the embeddings: float32 (n, width) in, logits (n, tasks) out."""

    def __init__(self, width: int, tasks: int, shape: ModelShape) -> None:
        super().__init__()
        self.cross = nn.ModuleList(CrossLayer(width, shape.cross_rank) for _ in range(shape.cross_layers))
        layers: list[nn.Module] = []
        last = width
        for hidden in shape.tower:
            layers += [nn.Linear(last, hidden), nn.ReLU(), nn.Dropout(shape.dropout)]
            last = hidden
        self.tower = nn.Sequential(*layers)
        joined = (width if shape.cross_layers or not shape.tower else 0) + (last if shape.tower else 0)
        self.head = nn.Linear(joined, tasks)

    def forward(self, first: torch.Tensor) -> torch.Tensor:
        """Logits, one column per task."""
        hidden = first
        for layer in self.cross:
            hidden = layer(first, hidden)
        parts = [hidden] if len(self.cross) or not len(self.tower) else []
        if len(self.tower):
            parts.append(self.tower(first))
        logits: torch.Tensor = self.head(parts[0] if len(parts) == 1 else torch.cat(parts, dim=1))
        return logits


class Recommender(nn.Module):
    """ids (n, fields) int64 -> logits (n, tasks) float32: an embedding bank and a dense part over it."""

    def __init__(self, bank: EmbeddingBank, dense: nn.Module) -> None:
        super().__init__()
        self.bank, self.dense = bank, dense

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Logits, one column per task."""
        logits: torch.Tensor = self.dense(self.bank(ids))
        return logits


def build(shape: ModelShape, field_names: tuple[str, ...], rows: Sequence[int], tasks: int) -> Recommender:
    """A freshly initialised model. `rows[i]` are the embedding rows of field i, out-of-vocabulary included."""
    bank = EmbeddingBank(rows, shape.dims(field_names))
    return Recommender(bank, Dense(bank.width, tasks, shape))
