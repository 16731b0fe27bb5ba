"""Embedding tables of all inputs, looked up together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from autocompress.data.numbering import Numbering
from autocompress.models.bank_layout import BankLayout, ListInput
from autocompress.models.packed_table import PackedTable, packed
from autocompress.models.row_quantization import fake_quantize_rows, quantize_to_step

FIRST_SIZE = 0.01
"""Deviation of an embedding's first numbers."""


class EmbeddingBank(nn.Module):
    """Looks up the data's packed ids (n, slots) int64 and returns (n, width) float32, as its `layout` has it.

    There is one parameter per group of tables: one lookup for all their fields. Ids past a table's rows read row 0; a
    table with `new_ids` reads, for each id of the data, the row that stands there. A list gives the mean of its entries
    (zeros where it has none); with `whole`, all its entries from the oldest on, zeros for padding. What is stored in
    few bits is returned as the exported file will return it.
    """

    def __init__(
        self,
        layout: BankLayout,
        apart: Mapping[int, PackedTable] | None = None,
        new_ids: Mapping[int, torch.Tensor] | None = None,
    ) -> None:
        """`apart` are the tables of `layout.apart`; `new_ids` int64 (ids of the data,) of the tables that have them.

        What is stored is 0 until it is drawn, copied or loaded.
        """
        super().__init__()
        self.layout = layout
        self.tables = nn.ParameterList(torch.zeros(layout.stored_shape(index)) for index in range(len(layout.groups)))
        thin = {(group.dim, group.rank) for group in layout.groups if group.rank < group.dim}
        self.maps = nn.ParameterDict({_map_name(dim, rank): torch.zeros(rank, dim) for dim, rank in sorted(thin)})
        shared = [table for table, each in layout.precisions.items() if not each.per_row and table in layout.plain]
        self.steps = nn.ParameterDict({str(table): torch.zeros(()) for table in sorted(shared)})
        """Logarithms of the steps of tables that have one for all their rows; they are trained (`learned_step.py`)."""
        self.apart = nn.ModuleDict({str(table): _module(module) for table, module in (apart or {}).items()})
        self.constants = nn.Parameter(torch.zeros(len(layout.constant))) if layout.constant else None
        read = {table: new for table, new in (new_ids or {}).items() if layout.dim(table)}
        self.renumbered = tuple(sorted(read))
        for table, new in read.items():
            slots = [slot for slot, other in enumerate(layout.slots) if other == table]
            self.register_buffer(f"new_ids_{table}", new)
            self.register_buffer(f"slots_{table}", torch.tensor(slots, dtype=torch.int64), persistent=False)
        for index, group in enumerate(layout.groups):
            mine = [table for table in group.tables if table < layout.fields]
            offsets = [layout.places[table][1] for table in mine]
            rows = [layout.rows[table] for table in mine]
            for name, values in (("fields", mine), ("rows", rows), ("offsets", offsets)):
                self.register_buffer(f"{name}_{index}", torch.tensor(values, dtype=torch.int64), persistent=False)
        self.order: torch.Tensor | None
        self.register_buffer("order", None if layout.order is None else torch.tensor(layout.order), persistent=False)
        self.constant: torch.Tensor
        self.register_buffer("constant", torch.tensor(layout.constant, dtype=torch.int64), persistent=False)

    def draw(self) -> EmbeddingBank:
        """Gives tables and maps their first values, at random; returns itself."""
        with torch.no_grad():
            for table in self.tables:
                table.normal_(0.0, FIRST_SIZE)
            for each in self.maps.values():
                each.normal_(0.0, len(each) ** -0.5)
        return self

    @property
    def numbering(self) -> Numbering:
        """What becomes of the data's ids; the exported file reads what comes of it."""
        tables: list[int | np.ndarray[tuple[int], np.dtype[np.int32]] | None] = []
        for table, rows in enumerate(self.layout.rows):
            if not self.layout.dim(table):
                tables.append(None)
            elif table in self.renumbered:
                tables.append(self.get_buffer(f"new_ids_{table}").numpy().astype(np.int32))
            else:
                tables.append(rows)
        return Numbering(self.layout.slots, tuple(tables))

    def map_of(self, index: int) -> torch.Tensor | None:
        """Float32 (rank, dim) that a group's rows are multiplied by; None where they are stored whole."""
        group = self.layout.groups[index]
        return self.maps[_map_name(group.dim, group.rank)] if group.rank < group.dim else None

    def changed(
        self,
        layout: BankLayout,
        apart: Mapping[int, PackedTable] | None = None,
        new_ids: Mapping[int, torch.Tensor] | None = None,
    ) -> EmbeddingBank:
        """A new bank of another layout, with everything that both store alike; further tables apart, other new ids."""
        kept = {table: self.get_buffer(f"new_ids_{table}") for table in self.renumbered}
        held = {int(table): packed(module) for table, module in self.apart.items()}
        new = EmbeddingBank(layout, {**held, **(apart or {})}, {**kept, **(new_ids or {})})
        with torch.no_grad():
            for table in set(self.layout.plain) & set(layout.plain):
                if self.stored(table).shape == new.stored(table).shape:
                    new.stored(table).copy_(self.stored(table))
            for name in set(self.maps.keys()) & set(new.maps.keys()):
                new.maps[name].copy_(self.maps[name])
            for name in set(self.steps.keys()) & set(new.steps.keys()):
                new.steps[name].copy_(self.steps[name])
            if self.constants is not None and new.constants is not None:
                old = dict(zip(self.layout.constant, self.constants, strict=True))
                for place, column in enumerate(layout.constant):
                    new.constants[place] = old.get(column, new.constants[place])
        return new.train(self.training)

    def table_steps(self, index: int) -> torch.Tensor | None:
        """Steps (tables of the group,), float32; None where every row has its own, or values are floats."""
        group = self.layout.groups[index]
        if group.precision is None or group.precision.per_row:
            return None
        return torch.stack([self.steps[str(table)] for table in group.tables]).exp()

    def table(self, table: int) -> torch.Tensor:
        """One table's rows (rows, dim): a view where they are stored whole, else what is made of what is stored."""
        if table not in range(len(self.layout.rows)):
            raise IndexError(f"table {table} of {len(self.layout.rows)}")
        if table in self.layout.apart:
            with torch.no_grad():
                whole: torch.Tensor = self.apart[str(table)](torch.arange(self.layout.rows[table]))
                return whole
        to_dim = self.map_of(self.layout.places[table][0])
        return self.stored(table) if to_dim is None else self.stored(table) @ to_dim

    def stored(self, table: int) -> torch.Tensor:
        """View of what a group stores of one table: (rows, dim), or (rows, rank)."""
        group, start = self.layout.places[table]
        rows: torch.Tensor = self.tables[group][start : start + self.layout.rows[table]]
        return rows

    def forward(self, ids: torch.Tensor, numbers: torch.Tensor | None = None) -> torch.Tensor:
        """Float32 (n, width); `numbers` float32 (n, its width) where there are any."""
        ids = self.own_ids(ids)
        parts, start = self._fields(ids), self.layout.fields
        for each in self.layout.lists:
            parts.append(self._list(ids[:, start : start + each.length], each))
            start += each.length
        if self.layout.whole:
            parts.append((ids[:, self.layout.fields :] >= 0).float())
        if self.layout.numbers:
            assert numbers is not None
            parts.append(numbers)
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def own_ids(self, ids: torch.Tensor) -> torch.Tensor:
        """The data's packed ids (n, slots) with the rows that renumbered tables have for them; padding stays -1."""
        if not self.renumbered:
            return ids
        ids = ids.clone()
        for table in self.renumbered:
            slots, new = self.get_buffer(f"slots_{table}"), self.get_buffer(f"new_ids_{table}")
            asked = ids.index_select(1, slots)
            there = torch.where(asked < len(new), asked, 0).clamp_min(0)
            ids[:, slots] = torch.where(asked < 0, asked, new[there])
        return ids

    def _fields(self, ids: torch.Tensor) -> list[torch.Tensor]:
        parts = []
        for index, group in enumerate(self.layout.groups):
            fields = self.get_buffer(f"fields_{index}")
            if not len(fields):
                continue
            asked = ids if len(fields) == ids.shape[1] else ids.index_select(1, fields)
            kept = torch.where(asked < self.get_buffer(f"rows_{index}"), asked, 0)
            steps = self.table_steps(index)
            mine = None if steps is None else steps[: len(fields)]
            rows = self._rows(index, kept + self.get_buffer(f"offsets_{index}"), mine)
            parts.append(rows.reshape(-1, len(fields) * group.dim))
        for table in self.layout.apart:
            if table < self.layout.fields:
                asked = ids[:, table]
                parts.append(self.apart[str(table)](torch.where(asked < self.layout.rows[table], asked, 0)))
        if self.order is None:
            return parts
        if self.constants is None:
            return [torch.cat(parts, dim=1).index_select(1, self.order)]
        there = torch.cat([*parts, parts[0].new_zeros(len(ids), 1)], dim=1).index_select(1, self.order)
        return [there + there.new_zeros(there.shape[1]).index_copy(0, self.constant, self.constants)]

    def _rows(self, index: int, wanted: torch.Tensor, steps: torch.Tensor | None) -> torch.Tensor:
        """Float32 (..., dim) of a group; `steps` are those of the last place of `wanted`, or of all."""
        group = self.layout.groups[index]
        rows: torch.Tensor = nn.functional.embedding(wanted, self.tables[index], sparse=torch.is_grad_enabled())
        if group.precision is not None:
            bits = group.precision.bits
            if steps is None:
                rows = fake_quantize_rows(rows.reshape(-1, group.rank), bits).view_as(rows)
            else:
                rows = quantize_to_step(rows, steps[:, None], bits)
        to_dim = self.map_of(index)
        found: torch.Tensor = rows if to_dim is None else rows @ to_dim
        return found

    def _list(self, entries: torch.Tensor, each: ListInput) -> torch.Tensor:
        """Only entries are looked up: padding would be counted, and decayed, as a lookup of row 0."""
        there = torch.nonzero(entries.reshape(-1) >= 0)[:, 0]
        asked = entries.reshape(-1)[there]
        kept = torch.where(asked < self.layout.rows[each.table], asked, 0)
        if each.table in self.layout.apart:
            rows = self.apart[str(each.table)](kept)
        else:
            group, start = self.layout.places[each.table]
            place, steps = self.layout.groups[group].tables.index(each.table), self.table_steps(group)
            rows = self._rows(group, kept + start, None if steps is None else steps[place : place + 1])
        found: torch.Tensor
        count, dim = len(entries), rows.shape[1]
        if self.layout.whole:
            found = rows.new_zeros(count * each.length, dim).index_copy(0, there, rows)
            return found.view(count, each.length * dim)
        lengths = (entries >= 0).sum(dim=1, keepdim=True).clamp_min(1)
        found = rows.new_zeros(count, dim).index_add(0, there // each.length, rows)
        return found / lengths


def _map_name(dim: int, rank: int) -> str:
    return f"{rank}_of_{dim}"


def _module(table: PackedTable) -> nn.Module:
    assert isinstance(table, nn.Module)
    return table
