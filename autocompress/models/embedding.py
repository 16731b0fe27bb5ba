"""Embedding tables of all inputs, looked up together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import nn

from autocompress.models.product_codes import PIECES, looked_up
from autocompress.models.row_quantization import fake_quantize_rows


class ListInput(NamedTuple):
    """A list: the table that its entries read, and how many slots it has."""

    table: int
    length: int


class EmbeddingBank(nn.Module):
    """Looks up packed ids (n, slots) int64 and returns (n, width) float32: fields, lists, numbers, in that order.

    Tables of equal dimension share one parameter (one lookup for all their fields); a table of `products` has its own,
    the pieces that its codes name. Rows of a dimension of `ranks` are stored shorter, and mapped to it by one matrix
    that all tables of that dimension share. The fields come in the order of falling dimension, and inside a dimension
    in schema order: see `columns`. Ids past a table's rows, which pruning makes, read row 0.

    A list gives the mean of its entries (zeros where it has none); with `whole`, all its entries from the oldest on,
    zeros for padding, and after all lists one column per slot: 1 where there is an entry. `numbers` columns are passed
    through. `quantize` switches on what the exported tables will return.
    """

    def __init__(
        self,
        rows: Sequence[int],
        dims: Sequence[int],
        lists: Sequence[ListInput] = (),
        *,
        fields: int | None = None,
        whole: bool = False,
        numbers: int = 0,
        products: Mapping[int, int] | None = None,
        ranks: Mapping[int, int] | None = None,
    ) -> None:
        """`rows` and `dims` are those of the tables; the first `fields` (None: all) belong to fields.

        `products` are tables stored as codes of pieces, each with the numbers in a piece, which divide its dimension;
        `ranks` are dimensions of which the other tables store fewer numbers, and how many.
        """
        super().__init__()
        self.rows, self.dims, self.lists = tuple(rows), tuple(dims), tuple(lists)
        self.fields = len(self.rows) if fields is None else fields
        self.whole, self.numbers = whole, numbers
        self.bits: int | None = None
        self.table_scales: tuple[float, ...] | None = None
        self.products, self.ranks = dict(products or {}), dict(ranks or {})
        plain = [(t, dim) for t, dim in enumerate(dims) if t not in self.products]
        self.groups = (
            *((dim, tuple(t for t, d in plain if d == dim)) for dim in sorted({d for _, d in plain}, reverse=True)),
            *((dims[t], (t,)) for t in sorted(self.products)),
        )
        self.tables = nn.ParameterList(
            torch.randn(*self._stored(dim, tables), dtype=torch.float32) * 0.01 for dim, tables in self.groups
        )
        self.maps = nn.ParameterDict(
            {str(dim): torch.randn(rank, dim) / rank**0.5 for dim, rank in sorted(self.ranks.items())}
        )
        self.places: dict[int, tuple[int, int]] = {}
        """Of each table, its group and the first of its rows there."""
        for index, (_, tables) in enumerate(self.groups):
            starts = torch.tensor([0, *(rows[t] for t in tables)]).cumsum(0)[:-1]
            self.places |= {t: (index, int(start)) for t, start in zip(tables, starts, strict=True)}
            mine = [t for t in tables if t < self.fields]
            self.register_buffer(f"fields_{index}", torch.tensor(mine, dtype=torch.int64), persistent=False)
            self.register_buffer(f"rows_{index}", torch.tensor([rows[t] for t in mine]), persistent=False)
            self.register_buffer(f"offsets_{index}", starts[: len(mine)], persistent=False)
            if (piece := self.piece_of(index)) is not None:
                codes = torch.zeros(rows[tables[0]], dims[tables[0]] // piece, dtype=torch.uint8)
                self.register_buffer(f"codes_{index}", codes)
        self.order: torch.Tensor | None
        self.register_buffer("order", self._order(), persistent=False)

    def _stored(self, dim: int, tables: tuple[int, ...]) -> tuple[int, int]:
        piece = self.products.get(tables[0])
        if piece is not None:
            return dim // piece * PIECES, piece
        return sum(self.rows[t] for t in tables), self.ranks.get(dim, dim)

    def _order(self) -> torch.Tensor | None:
        """Where each column of the fields stands among the groups' outputs; None where that is where it is wanted."""
        by_group = [t for _, tables in self.groups for t in tables if t < self.fields]
        ends = torch.tensor([self.dims[t] for t in by_group]).cumsum(0).tolist()
        starts = {t: end - self.dims[t] for t, end in zip(by_group, ends, strict=True)}
        wanted = sorted(range(self.fields), key=lambda field: -self.dims[field])
        if wanted == by_group:
            return None
        return torch.tensor([starts[field] + place for field in wanted for place in range(self.dims[field])])

    def piece_of(self, index: int) -> int | None:
        """Numbers in a piece of the group's table; None where the group holds whole rows."""
        return self.products.get(self.groups[index][1][0])

    def map_of(self, index: int) -> torch.Tensor | None:
        """Float32 (rank, dim) that a group's rows are multiplied by; None where they are stored whole."""
        dim = self.groups[index][0]
        return None if self.piece_of(index) is not None or dim not in self.ranks else self.maps[str(dim)]

    def resized(self, rows: Sequence[int]) -> EmbeddingBank:
        """A new bank that differs in the tables' rows; maps are copied."""
        new = self._like(rows, self.products, self.ranks)
        with torch.no_grad():
            for name, value in self.maps.items():
                new.maps[name].copy_(value)
        return new

    def with_products(self, products: Mapping[int, int]) -> EmbeddingBank:
        """A new bank of which those tables are codes of pieces, too; what else is stored is copied."""
        new = self._like(self.rows, {**self.products, **products}, self.ranks)
        self._copied_to(new)
        return new

    def with_ranks(self, ranks: Mapping[int, int]) -> EmbeddingBank:
        """A new bank whose tables of those dimensions are stored at those ranks; what else is stored is copied."""
        new = self._like(self.rows, self.products, {**self.ranks, **ranks})
        self._copied_to(new)
        return new

    def _copied_to(self, new: EmbeddingBank) -> None:
        """What is stored alike in both."""
        with torch.no_grad():
            for table in range(len(self.rows)):
                mine, theirs = self.places[table][0], new.places[table][0]
                if self.piece_of(mine) is not None and new.piece_of(theirs) == self.piece_of(mine):
                    new.tables[theirs].copy_(self.tables[mine])
                    new.get_buffer(f"codes_{theirs}").copy_(self.get_buffer(f"codes_{mine}"))
                elif new.piece_of(theirs) is None and self.stored(table).shape == new.stored(table).shape:
                    new.stored(table).copy_(self.stored(table))
            for name in set(self.maps.keys()) & set(new.maps.keys()):
                new.maps[name].copy_(self.maps[name])
        if self.bits is not None:
            new.quantize(self.bits, self.table_scales)

    def _like(self, rows: Sequence[int], products: Mapping[int, int], ranks: Mapping[int, int]) -> EmbeddingBank:
        return EmbeddingBank(
            rows,
            self.dims,
            self.lists,
            fields=self.fields,
            whole=self.whole,
            numbers=self.numbers,
            products=products,
            ranks=ranks,
        )

    def quantize(self, bits: int, table_scales: Sequence[float] | None) -> None:
        """From now on values have `bits` bits and a scale per table, or per row where `table_scales` is None."""
        self.bits = bits
        self.table_scales = None if table_scales is None else tuple(table_scales)

    def group_scales(self, index: int) -> torch.Tensor | None:
        """Scales (tables of the group,), float32; None where every row has its own."""
        if self.table_scales is None:
            return None
        return torch.tensor([self.table_scales[table] for table in self.groups[index][1]])

    @property
    def slot_rows(self) -> tuple[int, ...]:
        """Rows of the table that each slot of packed ids reads."""
        lists = (self.rows[each.table] for each in self.lists for _ in range(each.length))
        return (*self.rows[: self.fields], *lists)

    @property
    def width(self) -> int:
        """Columns of the output."""
        return len(self.rest()) + sum(map(len, (*self.columns(), *self.list_columns())))

    def columns(self) -> list[list[int]]:
        """Output columns of each field, in schema order."""
        result: list[list[int]] = [[] for _ in range(self.fields)]
        start = 0
        for field in sorted(range(self.fields), key=lambda field: -self.dims[field]):
            result[field] = list(range(start, start + self.dims[field]))
            start += self.dims[field]
        return result

    def list_columns(self) -> list[list[int]]:
        """Output columns of each list; of a whole one, entry by entry."""
        result: list[list[int]] = []
        start = sum(self.dims[: self.fields])
        for each in self.lists:
            columns = self.dims[each.table] * (each.length if self.whole else 1)
            result.append(list(range(start, start + columns)))
            start += columns
        return result

    def rest(self) -> list[int]:
        """Output columns that hold no embedding: what tells entries from padding, and numbers."""
        start = sum(self.dims[: self.fields]) + sum(map(len, self.list_columns()))
        marks = sum(each.length for each in self.lists) if self.whole else 0
        return list(range(start, start + marks + self.numbers))

    def table(self, table: int) -> torch.Tensor:
        """One table's rows (rows, dim): a view where they are stored whole, else what codes or a map make of them."""
        if table not in self.places:
            raise IndexError(f"table {table} of {len(self.rows)}")
        group, _ = self.places[table]
        if self.piece_of(group) is not None:
            with torch.no_grad():
                return looked_up(self.get_buffer(f"codes_{group}"), self.tables[group], torch.arange(self.rows[table]))
        to_dim = self.map_of(group)
        return self.stored(table) if to_dim is None else self.stored(table) @ to_dim

    def stored(self, table: int) -> torch.Tensor:
        """View of what is stored of one table that is no product: (rows, dim), or (rows, rank)."""
        group, start = self.places[table]
        rows: torch.Tensor = self.tables[group][start : start + self.rows[table]]
        return rows

    def forward(self, ids: torch.Tensor, numbers: torch.Tensor | None = None) -> torch.Tensor:
        """Float32 (n, width); `numbers` float32 (n, its width) where there are any."""
        parts, start = self._fields(ids), self.fields
        if self.order is not None:
            parts = [torch.cat(parts, dim=1).index_select(1, self.order)]
        for each in self.lists:
            parts.append(self._list(ids[:, start : start + each.length], each))
            start += each.length
        if self.whole:
            parts.append((ids[:, self.fields :] >= 0).float())
        if self.numbers:
            assert numbers is not None
            parts.append(numbers)
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def _fields(self, ids: torch.Tensor) -> list[torch.Tensor]:
        parts = []
        for index, (dim, _) in enumerate(self.groups):
            fields = self.get_buffer(f"fields_{index}")
            if not len(fields):
                continue
            group = ids if len(fields) == ids.shape[1] else ids.index_select(1, fields)
            kept = torch.where(group < self.get_buffer(f"rows_{index}"), group, 0)
            rows = self._rows(index, kept + self.get_buffer(f"offsets_{index}"))
            if self.bits is not None and self.piece_of(index) is None:
                scales = self.group_scales(index)
                if scales is not None:
                    scales = scales[: len(fields)].to(rows.device).repeat(len(rows))[:, None]
                rows = fake_quantize_rows(rows.flatten(0, 1), self.bits, scales).view_as(rows)
            rows = self._mapped(index, rows)
            parts.append(rows.reshape(-1, len(fields) * dim))
        return parts

    def _rows(self, index: int, wanted: torch.Tensor) -> torch.Tensor:
        """Rows (..., dim) of a group, before quantization."""
        if self.piece_of(index) is not None:
            return looked_up(self.get_buffer(f"codes_{index}"), self.tables[index], wanted)
        return nn.functional.embedding(wanted, self.tables[index], sparse=torch.is_grad_enabled())

    def _mapped(self, index: int, rows: torch.Tensor) -> torch.Tensor:
        to_dim = self.map_of(index)
        return rows if to_dim is None else rows @ to_dim

    def _list(self, entries: torch.Tensor, each: ListInput) -> torch.Tensor:
        """Only entries are looked up: padding would be counted, and decayed, as a lookup of row 0."""
        group, start = self.places[each.table]
        there = torch.nonzero(entries.reshape(-1) >= 0)[:, 0]
        asked = entries.reshape(-1)[there]
        kept = torch.where(asked < self.rows[each.table], asked, 0) + start
        rows = self._rows(group, kept)
        if self.bits is not None and self.piece_of(group) is None:
            scales = None
            if self.table_scales is not None:
                scales = torch.full((len(rows), 1), self.table_scales[each.table], device=rows.device)
            rows = fake_quantize_rows(rows, self.bits, scales)
        rows = self._mapped(group, rows)
        count, dim = len(entries), rows.shape[1]
        if self.whole:
            return rows.new_zeros(count * each.length, dim).index_copy(0, there, rows).view(count, each.length * dim)
        lengths = (entries >= 0).sum(dim=1, keepdim=True).clamp_min(1)
        return rows.new_zeros(count, dim).index_add(0, there // each.length, rows) / lengths
