"""Embedding tables of all inputs, looked up together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import nn

from autocompress.models.bank_layout import BankLayout, ListInput
from autocompress.models.product_codes import looked_up
from autocompress.models.row_quantization import fake_quantize_rows


class EmbeddingBank(nn.Module):
    """Looks up packed ids (n, slots) int64 and returns (n, width) float32, as its `layout` has it.

    There is one parameter per group of tables: one lookup for all their fields. Ids past a table's rows, which pruning
    makes, read row 0. A list gives the mean of its entries (zeros where it has none); with `whole`, all its entries
    from the oldest on, zeros for padding. `quantize` switches on what the exported tables will return.
    """

    def __init__(self, layout: BankLayout) -> None:
        super().__init__()
        self.layout = layout
        self.bits: int | None = None
        self.table_scales: tuple[float, ...] | None = None
        self.tables = nn.ParameterList(
            torch.randn(*layout.stored_shape(index)) * 0.01 for index in range(len(layout.groups))
        )
        self.maps = nn.ParameterDict(
            {str(dim): torch.randn(rank, dim) / rank**0.5 for dim, rank in sorted(layout.ranks.items())}
        )
        for index, (dim, tables) in enumerate(layout.groups):
            mine = [table for table in tables if table < layout.fields]
            offsets = [layout.places[table][1] for table in mine]
            rows = [layout.rows[table] for table in mine]
            for name, values in (("fields", mine), ("rows", rows), ("offsets", offsets)):
                self.register_buffer(f"{name}_{index}", torch.tensor(values, dtype=torch.int64), persistent=False)
            if (piece := layout.piece_of(index)) is not None:
                codes = torch.zeros(layout.rows[tables[0]], dim // piece, dtype=torch.uint8)
                self.register_buffer(f"codes_{index}", codes)
        self.order: torch.Tensor | None
        self.register_buffer("order", None if layout.order is None else torch.tensor(layout.order), persistent=False)

    def map_of(self, index: int) -> torch.Tensor | None:
        """Float32 (rank, dim) that a group's rows are multiplied by; None where they are stored whole."""
        dim = self.layout.groups[index][0]
        whole = self.layout.piece_of(index) is not None or dim not in self.layout.ranks
        return None if whole else self.maps[str(dim)]

    def resized(self, rows: Sequence[int]) -> EmbeddingBank:
        """A new bank that differs in the tables' rows; maps are copied."""
        new = EmbeddingBank(replace(self.layout, rows=tuple(rows)))
        with torch.no_grad():
            for name, value in self.maps.items():
                new.maps[name].copy_(value)
        return new

    def with_products(self, products: Mapping[int, int]) -> EmbeddingBank:
        """A new bank of which those tables are codes of pieces, too; what else is stored is copied."""
        return self._restored(replace(self.layout, products={**self.layout.products, **products}))

    def with_ranks(self, ranks: Mapping[int, int]) -> EmbeddingBank:
        """A new bank whose tables of those dimensions are stored at those ranks; what else is stored is copied."""
        return self._restored(replace(self.layout, ranks={**self.layout.ranks, **ranks}))

    def _restored(self, layout: BankLayout) -> EmbeddingBank:
        """A bank of another layout, with everything that both store alike."""
        new = EmbeddingBank(layout)
        with torch.no_grad():
            for table in range(len(layout.rows)):
                mine, theirs = self.layout.places[table][0], layout.places[table][0]
                if self.layout.piece_of(mine) is not None and layout.piece_of(theirs) == self.layout.piece_of(mine):
                    new.tables[theirs].copy_(self.tables[mine])
                    new.get_buffer(f"codes_{theirs}").copy_(self.get_buffer(f"codes_{mine}"))
                elif layout.piece_of(theirs) is None and self.stored(table).shape == new.stored(table).shape:
                    new.stored(table).copy_(self.stored(table))
            for name in set(self.maps.keys()) & set(new.maps.keys()):
                new.maps[name].copy_(self.maps[name])
        if self.bits is not None:
            new.quantize(self.bits, self.table_scales)
        return new

    def quantize(self, bits: int, table_scales: Sequence[float] | None) -> None:
        """From now on values have `bits` bits and a scale per table, or per row where `table_scales` is None."""
        self.bits = bits
        self.table_scales = None if table_scales is None else tuple(table_scales)

    def group_scales(self, index: int) -> torch.Tensor | None:
        """Scales (tables of the group,), float32; None where every row has its own."""
        if self.table_scales is None:
            return None
        return torch.tensor([self.table_scales[table] for table in self.layout.groups[index][1]])

    def table(self, table: int) -> torch.Tensor:
        """One table's rows (rows, dim): a view where they are stored whole, else what codes or a map make of them."""
        if table not in self.layout.places:
            raise IndexError(f"table {table} of {len(self.layout.rows)}")
        group, _ = self.layout.places[table]
        if self.layout.piece_of(group) is not None:
            everything = torch.arange(self.layout.rows[table])
            with torch.no_grad():
                return looked_up(self.get_buffer(f"codes_{group}"), self.tables[group], everything)
        to_dim = self.map_of(group)
        return self.stored(table) if to_dim is None else self.stored(table) @ to_dim

    def stored(self, table: int) -> torch.Tensor:
        """View of what is stored of one table that is no product: (rows, dim), or (rows, rank)."""
        group, start = self.layout.places[table]
        rows: torch.Tensor = self.tables[group][start : start + self.layout.rows[table]]
        return rows

    def forward(self, ids: torch.Tensor, numbers: torch.Tensor | None = None) -> torch.Tensor:
        """Float32 (n, width); `numbers` float32 (n, its width) where there are any."""
        parts, start = self._fields(ids), self.layout.fields
        if self.order is not None:
            parts = [torch.cat(parts, dim=1).index_select(1, self.order)]
        for each in self.layout.lists:
            parts.append(self._list(ids[:, start : start + each.length], each))
            start += each.length
        if self.layout.whole:
            parts.append((ids[:, self.layout.fields :] >= 0).float())
        if self.layout.numbers:
            assert numbers is not None
            parts.append(numbers)
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def _fields(self, ids: torch.Tensor) -> list[torch.Tensor]:
        parts = []
        for index, (dim, _) in enumerate(self.layout.groups):
            fields = self.get_buffer(f"fields_{index}")
            if not len(fields):
                continue
            group = ids if len(fields) == ids.shape[1] else ids.index_select(1, fields)
            kept = torch.where(group < self.get_buffer(f"rows_{index}"), group, 0)
            rows = self._rows(index, kept + self.get_buffer(f"offsets_{index}"))
            if self.bits is not None and self.layout.piece_of(index) is None:
                scales = self.group_scales(index)
                if scales is not None:
                    scales = scales[: len(fields)].to(rows.device).repeat(len(rows))[:, None]
                rows = fake_quantize_rows(rows.flatten(0, 1), self.bits, scales).view_as(rows)
            rows = self._mapped(index, rows)
            parts.append(rows.reshape(-1, len(fields) * dim))
        return parts

    def _rows(self, index: int, wanted: torch.Tensor) -> torch.Tensor:
        """Rows (..., dim) of a group, before quantization."""
        if self.layout.piece_of(index) is not None:
            return looked_up(self.get_buffer(f"codes_{index}"), self.tables[index], wanted)
        return nn.functional.embedding(wanted, self.tables[index], sparse=torch.is_grad_enabled())

    def _mapped(self, index: int, rows: torch.Tensor) -> torch.Tensor:
        to_dim = self.map_of(index)
        return rows if to_dim is None else rows @ to_dim

    def _list(self, entries: torch.Tensor, each: ListInput) -> torch.Tensor:
        """Only entries are looked up: padding would be counted, and decayed, as a lookup of row 0."""
        group, start = self.layout.places[each.table]
        there = torch.nonzero(entries.reshape(-1) >= 0)[:, 0]
        asked = entries.reshape(-1)[there]
        kept = torch.where(asked < self.layout.rows[each.table], asked, 0) + start
        rows = self._rows(group, kept)
        if self.bits is not None and self.layout.piece_of(group) is None:
            scales = None
            if self.table_scales is not None:
                scales = torch.full((len(rows), 1), self.table_scales[each.table], device=rows.device)
            rows = fake_quantize_rows(rows, self.bits, scales)
        rows = self._mapped(group, rows)
        count, dim = len(entries), rows.shape[1]
        if self.layout.whole:
            return rows.new_zeros(count * each.length, dim).index_copy(0, there, rows).view(count, each.length * dim)
        lengths = (entries >= 0).sum(dim=1, keepdim=True).clamp_min(1)
        return rows.new_zeros(count, dim).index_add(0, there // each.length, rows) / lengths
