"""Embedding tables of all fields, looked up together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from autocompress.models.row_quantization import fake_quantize_rows


class EmbeddingBank(nn.Module):
    """Looks up ids (n, fields) int64 and returns (n, sum of dims) float32.

    Fields of equal dimension share one table (one lookup for all of them). The output holds the groups in the order
    of falling dimension, and inside a group the fields in schema order: see `columns`. Ids past a field's rows, which
    pruning makes, read row 0. `quantize` switches on what the exported tables will return.
    """

    def __init__(self, rows: Sequence[int], dims: Sequence[int]) -> None:
        super().__init__()
        self.rows, self.dims = tuple(rows), tuple(dims)
        self.bits: int | None = None
        self.field_scales: tuple[float, ...] | None = None
        self.groups = tuple(
            (dim, tuple(f for f, d in enumerate(dims) if d == dim)) for dim in sorted(set(dims), reverse=True)
        )
        self.tables = nn.ParameterList(
            torch.randn(sum(rows[f] for f in fields), dim) * 0.01 for dim, fields in self.groups
        )
        for index, (_, fields) in enumerate(self.groups):
            group_rows = torch.tensor([rows[f] for f in fields])
            self.register_buffer(f"fields_{index}", torch.tensor(fields), persistent=False)
            self.register_buffer(f"rows_{index}", group_rows, persistent=False)
            self.register_buffer(f"offsets_{index}", group_rows.cumsum(0) - group_rows, persistent=False)

    def quantize(self, bits: int, field_scales: Sequence[float] | None) -> None:
        """From now on values have `bits` bits and a scale per field, or per row where `field_scales` is None."""
        self.bits = bits
        self.field_scales = None if field_scales is None else tuple(field_scales)

    def group_scales(self, index: int) -> torch.Tensor | None:
        """Scales (fields of the group,), float32; None where every row has its own."""
        if self.field_scales is None:
            return None
        return torch.tensor([self.field_scales[field] for field in self.groups[index][1]])

    @property
    def width(self) -> int:
        """Columns of the output."""
        return sum(self.dims)

    def columns(self) -> list[list[int]]:
        """Output columns of each field, in schema order."""
        result: list[list[int]] = [[] for _ in self.dims]
        start = 0
        for dim, fields in self.groups:
            for field in fields:
                result[field] = list(range(start, start + dim))
                start += dim
        return result

    def table(self, field: int) -> torch.Tensor:
        """View of one field's rows (rows, dim)."""
        for index, (_, fields) in enumerate(self.groups):
            if field in fields:
                start = int(self.get_buffer(f"offsets_{index}")[fields.index(field)])
                rows: torch.Tensor = self.tables[index][start : start + self.rows[field]]
                return rows
        raise IndexError(f"field {field} of {len(self.rows)}")

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Float32 (n, width)."""
        parts = []
        for index, (dim, fields) in enumerate(self.groups):
            group = ids if len(self.groups) == 1 else ids.index_select(1, self.get_buffer(f"fields_{index}"))
            kept = torch.where(group < self.get_buffer(f"rows_{index}"), group, 0)
            rows = nn.functional.embedding(
                kept + self.get_buffer(f"offsets_{index}"), self.tables[index], sparse=torch.is_grad_enabled()
            )
            if self.bits is not None:
                scales = self.group_scales(index)
                if scales is not None:
                    scales = scales.to(rows.device).repeat(len(rows))[:, None]
                rows = fake_quantize_rows(rows.flatten(0, 1), self.bits, scales).view_as(rows)
            parts.append(rows.reshape(-1, len(fields) * dim))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
