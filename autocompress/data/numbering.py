"""What a student makes of the ids of its data: inputs that it does not read, ids that are cut, moved or joined.

The file holds nothing of it. The encoder that ships beside it gives the student's own ids; ids that the data's encoder
gave are renumbered before the file sees them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocompress.data.encode import Encoder, look_up, prunable
from autocompress.data.inputs import Inputs

TableIds = int | NDArray[np.int32] | None
"""Of a table: its rows, where ids past them become 0; or the new id of every old one; or None: it is not read."""


@dataclass(frozen=True)
class Numbering:
    """`slots` are the tables that the columns of packed ids read, `tables` what becomes of each table's ids."""

    slots: tuple[int, ...]
    tables: tuple[TableIds, ...]


def renumbered(inputs: Inputs, numbering: Numbering) -> Inputs:
    """The inputs as a model of that numbering reads them; padding stays padding."""
    read = [slot for slot, table in enumerate(numbering.slots) if numbering.tables[table] is not None]
    ids = inputs.ids if len(read) == len(numbering.slots) else inputs.ids[:, read]
    tables = [numbering.tables[numbering.slots[slot]] for slot in read]
    top = np.iinfo(np.int32).max
    rows = np.array([each if isinstance(each, int) else top for each in tables], dtype=np.int32)
    kept = np.where(ids < rows, ids, np.int32(0))
    moved = {numbering.slots[slot] for slot in read if isinstance(numbering.tables[numbering.slots[slot]], np.ndarray)}
    for table in sorted(moved):
        columns = [column for column, slot in enumerate(read) if numbering.slots[slot] == table]
        new, asked = numbering.tables[table], ids[:, columns]
        assert isinstance(new, np.ndarray)
        kept[:, columns] = np.where(asked < 0, asked, new[np.where((asked < 0) | (asked >= len(new)), 0, asked)])
    return Inputs(kept, inputs.numbers)


def narrowed(encoder: Encoder, numbering: Numbering) -> Encoder:
    """The encoder that gives a model of that numbering its ids.

    Values whose ids become 0 are forgotten. Raises `ValueError` where a numeric or hashed input would lose rows.
    """
    schema, values, ids = encoder.schema, dict(encoder.values), dict(encoder.ids)
    dropped = set()
    old_rows = encoder.rows
    for table, (name, prunes) in enumerate(zip(schema.tables, prunable(schema), strict=True)):
        new = numbering.tables[table]
        if new is None:
            dropped.add(name)
            values.pop(name, None)
            ids.pop(name, None)
        elif isinstance(new, int) and new >= old_rows[table]:
            continue
        elif not prunes:
            raise ValueError(f"{name!r} is numeric or hashed: its {old_rows[table]} rows stay")
        else:
            values[name], ids[name] = _renumbered_values(encoder, name, new)
            if np.array_equal(ids[name], np.arange(1, len(ids[name]) + 1)):
                del ids[name]
    fields = tuple(each for each in schema.fields if each.name not in dropped)
    return replace(encoder, schema=schema.model_copy(update={"fields": fields}), values=values, ids=ids)


def _renumbered_values(encoder: Encoder, name: str, new: int | NDArray[np.int32]) -> tuple[Any, NDArray[np.int32]]:
    values = encoder.values[name]
    old = encoder.ids.get(name, np.arange(1, len(values) + 1, dtype=np.int32))
    found = np.where(old < new, old, np.int32(0)) if isinstance(new, int) else new[old]
    return values.filter(found > 0), found[found > 0]


def between(data: Encoder, model: Encoder) -> Numbering:
    """How a model with that encoder numbers what the data's encoder gave."""
    own, rows = model.schema.tables, dict(zip(model.schema.tables, model.rows, strict=True))
    tables: list[TableIds] = []
    for name, prunes in zip(data.schema.tables, prunable(data.schema), strict=True):
        if name not in own:
            tables.append(None)
        elif not prunes or _is_cut(name, data.values, model):
            tables.append(rows[name])
        else:
            found = look_up(data.values[name], model.values[name], model.ids.get(name))
            tables.append(np.concatenate([np.zeros(1, dtype=np.int32), found]))
    return Numbering(data.schema.slots, tuple(tables))


def _is_cut(name: str, values: Mapping[str, Any], model: Encoder) -> bool:
    kept = model.values[name]
    return name not in model.ids and kept.equals(values[name].head(len(kept)))
