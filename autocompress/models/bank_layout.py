"""What an embedding bank holds and where each part of its output stands: plain data, no tensor of weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple


class ListInput(NamedTuple):
    """A list: the table that its entries read, and how many slots it has."""

    table: int
    length: int


class Precision(NamedTuple):
    """Bits of a stored number, and whether each row has a scale, or the whole table one."""

    bits: int
    per_row: bool


class Group(NamedTuple):
    """Tables that are stored together: rows of `rank` numbers, which a map makes `dim` where it is more."""

    dim: int
    rank: int
    precision: Precision | None
    tables: tuple[int, ...]


@dataclass(frozen=True)
class BankLayout:
    """`rows` and `dims` are those of the tables; the first `fields` of them belong to fields, the others to lists.

    Tables that are stored alike form a group. What is not as it was: `kept`, the dimensions that a field's table still
    has (none: the field is not read; in place of the others stand constants); `ranks`, numbers in a row where a map
    makes the dimension of them; `precisions`; and `apart`, tables that are stored by modules of their own
    (`models/packed_table.py`). A table that is not named there is whole, in float32.

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
    kept: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    ranks: Mapping[int, int] = field(default_factory=dict)
    precisions: Mapping[int, Precision] = field(default_factory=dict)
    apart: tuple[int, ...] = ()

    def dim(self, table: int) -> int:
        """Dimensions that a table has still."""
        return len(self.kept[table]) if table in self.kept else self.dims[table]

    @cached_property
    def plain(self) -> tuple[int, ...]:
        """Tables that are read and stored in groups."""
        return tuple(table for table in range(len(self.rows)) if self.dim(table) and table not in self.apart)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """By falling dimension, rank and bits (none first)."""
        alike: dict[tuple[int, int, Precision | None], list[int]] = {}
        for table in self.plain:
            dim = self.dim(table)
            alike.setdefault((dim, self.ranks.get(table, dim), self.precisions.get(table)), []).append(table)
        found = (Group(*key, tuple(tables)) for key, tables in alike.items())
        return tuple(sorted(found, key=lambda g: (-g.dim, -g.rank, g.precision is not None, g.precision or ())))

    @cached_property
    def places(self) -> dict[int, tuple[int, int]]:
        """Of each table in a group, its group and the first of its rows there."""
        found = {}
        for index, group in enumerate(self.groups):
            start = 0
            for table in group.tables:
                found[table] = (index, start)
                start += self.rows[table]
        return found

    def stored_shape(self, group: int) -> tuple[int, int]:
        """Of a group's parameter: rows and numbers."""
        return sum(self.rows[table] for table in self.groups[group].tables), self.groups[group].rank

    @property
    def _fields_in_order(self) -> list[int]:
        return sorted(range(self.fields), key=lambda each: -self.dims[each])

    @cached_property
    def part_widths(self) -> tuple[int, ...]:
        """Columns of each part of the fields that is looked up at once: of groups that have any, then of tables
        apart."""
        several = [(group.dim, sum(table < self.fields for table in group.tables)) for group in self.groups]
        apart = [self.dim(table) for table in self.apart if table < self.fields]
        return (*(dim * many for dim, many in several if many), *apart)

    @cached_property
    def order(self) -> tuple[int, ...] | None:
        """Where each column of the fields stands among the columns that are looked up, groups first, tables apart
        behind them; one past the last of them where a constant stands. None where that is where it is wanted."""
        looked_up = [table for group in self.groups for table in group.tables] + list(self.apart)
        stands: dict[tuple[int, int], int] = {}
        for table in looked_up:
            if table < self.fields:
                for dim in self.kept.get(table, range(self.dims[table])):
                    stands[table, dim] = len(stands)
        wanted = [(each, dim) for each in self._fields_in_order for dim in range(self.dims[each])]
        found = tuple(stands.get(place, len(stands)) for place in wanted)
        return None if found == tuple(range(len(stands))) else found

    @cached_property
    def constant(self) -> tuple[int, ...]:
        """Output columns in which constants stand."""
        gone = {
            (each, dim) for each, dims in self.kept.items() for dim in range(self.dims[each]) if dim not in set(dims)
        }
        columns = self.columns()
        return tuple(sorted(columns[each][dim] for each, dim in gone))

    @property
    def slots(self) -> tuple[int, ...]:
        """Table that each slot of the data's packed ids belongs to."""
        return (*range(self.fields), *(each.table for each in self.lists for _ in range(each.length)))

    @property
    def read_slots(self) -> tuple[int, ...]:
        """Slots of the data's packed ids that are read: what the exported file is given."""
        return tuple(slot for slot, table in enumerate(self.slots) if self.dim(table))

    @property
    def slot_rows(self) -> tuple[int, ...]:
        """Rows of the table that each slot that is read belongs to."""
        return tuple(self.rows[self.slots[slot]] for slot in self.read_slots)

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
