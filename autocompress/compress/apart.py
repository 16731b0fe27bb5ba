"""Tables taken out of their groups and stored by modules of their own (`models/packed_table.py`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from autocompress.compress.tables import read_counts
from autocompress.compress.transform import Context, Record
from autocompress.models.packed_table import PackedTable
from autocompress.models.recommender import Recommender

Made = TypeVar("Made", bound=PackedTable)


def take_apart(
    model: Recommender,
    context: Context,
    least_rows: int,
    make: Callable[[int, int], Made],
    fit: Callable[[Made, torch.Tensor, NDArray[np.int64]], None],
) -> Record:
    """Puts `make(rows, dim)` in the place of every table of at least `least_rows` rows that is stored as rows.

    `fit` brings each near the rows that stood there, float32 (rows, dim), of which training reads each as often as the
    last argument says. Record: `tables`.
    """
    layout, counts = model.bank.layout, read_counts(model, context)
    tables = [table for table in layout.plain if layout.rows[table] >= least_rows]
    old = {table: model.bank.table(table).detach() for table in tables}
    made = store_apart(model, tables, make)
    for table, rows in old.items():
        with torch.no_grad():
            fit(made[table], rows, counts[table])
    return {"tables": tables}


def store_apart(model: Recommender, tables: Sequence[int], make: Callable[[int, int], Made]) -> dict[int, Made]:
    """Puts `make(rows, dim)` in the place of each of the tables; gives what was made."""
    layout = model.bank.layout
    modules = {table: make(layout.rows[table], layout.dim(table)) for table in tables}
    apart = tuple(sorted({*layout.apart, *tables}))
    model.bank = model.bank.changed(replace(layout, apart=apart), modules)
    return modules
