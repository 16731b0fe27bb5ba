"""Tables taken out of their groups and stored by modules of their own (`models/packed_table.py`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from autocompress.models.packed_table import PackedTable
from autocompress.models.recommender import Recommender


def large_tables(model: Recommender, least_rows: int) -> list[int]:
    """Tables of at least so many rows that are stored as rows."""
    layout = model.bank.layout
    return [table for table in layout.plain if layout.rows[table] >= least_rows]


def store_apart(model: Recommender, tables: Sequence[int], make: Callable[[int, int], PackedTable]) -> None:
    """Puts `make(rows, dim)` in the place of each of the tables."""
    layout = model.bank.layout
    modules = {table: make(layout.rows[table], layout.dim(table)) for table in tables}
    apart = tuple(sorted({*layout.apart, *tables}))
    model.bank = model.bank.changed(replace(layout, apart=apart), modules)
