"""What an embedding bank holds and where each part of its output stands: plain data, no tensor of weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from autocompress.models.product_codes import PIECES


class ListInput(NamedTuple):
    """A list: the table that its entries read, and how many slots it has."""

    table: int
    length: int


@dataclass(frozen=True)
class BankLayout:
    """`rows` and `dims` are those of the tables; the first `fields` of them belong to fields, the others to lists.

    Tables of equal dimension form a group, stored together. `products` are tables stored as codes of pieces, each with
    the numbers in a piece, which divide its dimension: each is a group of its own. `ranks` are dimensions whose other
    tables store fewer numbers, and how many.

    The output holds the fields, by falling dimension and inside one in schema order; the lists (the mean of the
    entries, or with `whole` all of them, and behind all lists a mark per slot); then `numbers` columns that are passed
    through.
    """

    rows: tuple[int, ...]
    dims: tuple[int, ...]
    fields: int
    lists: tuple[ListInput, ...] = ()
    whole: bool = False
    numbers: int = 0
    products: Mapping[int, int] = field(default_factory=dict)
    ranks: Mapping[int, int] = field(default_factory=dict)

    @cached_property
    def groups(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """Dimension and tables of each group: by falling dimension, then the products."""
        plain = [(table, dim) for table, dim in enumerate(self.dims) if table not in self.products]
        dims = sorted({dim for _, dim in plain}, reverse=True)
        return (
            *((dim, tuple(table for table, other in plain if other == dim)) for dim in dims),
            *((self.dims[table], (table,)) for table in sorted(self.products)),
        )

    @cached_property
    def places(self) -> dict[int, tuple[int, int]]:
        """Of each table, its group and the first of its rows there."""
        found = {}
        for index, (_, tables) in enumerate(self.groups):
            start = 0
            for table in tables:
                found[table] = (index, start)
                start += self.rows[table]
        return found

    def piece_of(self, group: int) -> int | None:
        """Numbers in a piece of a group's table; None where the group holds rows."""
        return self.products.get(self.groups[group][1][0])

    def stored_shape(self, group: int) -> tuple[int, int]:
        """Of a group's parameter: rows and numbers, or pieces and numbers in one."""
        (dim, tables), piece = self.groups[group], self.piece_of(group)
        if piece is not None:
            return dim // piece * PIECES, piece
        return sum(self.rows[table] for table in tables), self.ranks.get(dim, dim)

    @property
    def _fields_in_order(self) -> list[int]:
        return sorted(range(self.fields), key=lambda each: -self.dims[each])

    @cached_property
    def order(self) -> tuple[int, ...] | None:
        """Where each column of the fields stands among the groups' outputs; None where that is where it is wanted."""
        by_group = [table for _, tables in self.groups for table in tables if table < self.fields]
        if by_group == self._fields_in_order:
            return None
        ends = np.cumsum([self.dims[table] for table in by_group]).tolist()
        starts = {table: end - self.dims[table] for table, end in zip(by_group, ends, strict=True)}
        return tuple(starts[each] + place for each in self._fields_in_order for place in range(self.dims[each]))

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
        for each in self._fields_in_order:
            result[each] = list(range(start, start + self.dims[each]))
            start += self.dims[each]
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
