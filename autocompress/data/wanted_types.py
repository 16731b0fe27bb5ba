"""The types in which the columns of a log are read, as its schema wants them: lists, vectors, numbers, other values."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from autocompress.data.bad_cells import first_misfit
from autocompress.data.sample import Sample
from autocompress.data.scan import Types
from autocompress.errors import UserError
from autocompress.schema import Schema


def read_types(taken: Sample, schema: Schema, split: str | None) -> Types:
    """The types in which the columns that are needed are read, in the order of the files.

    `UserError` where a column is of another type than the schema wants, with the first such cell where it is text.
    """
    numbers = {field.name for field in schema.fields if field.kind == "numeric"}
    numbers |= {vector.name for vector in schema.vectors if vector.width == 1}
    numbers |= {name for name in (schema.weight, schema.score) if name is not None}
    texts = {field.name for field in schema.fields if field.kind == "categorical"}
    texts |= {each.name for each in schema.sequences}
    texts |= {name for name in (schema.group, split) if name is not None}
    used = {*schema.input_names, *schema.labels, *schema.keys, *((split,) if split is not None else ())}
    types: Types = {}
    form = taken.files.format
    for column in taken.rows:
        if column.name not in used:
            continue
        name, dtype = column.name, column.dtype
        if name in numbers and dtype == pl.String:
            row = first_misfit(column, pl.Float64()) or 0
            raise taken.bad_cell(name, row, "the schema wants numbers")
        if dtype == pl.Null:
            dtype = pl.Float64() if name in numbers else pl.String()
        elif form != "parquet" and name in numbers and dtype.is_numeric():
            dtype = pl.Float64()
        elif form == "text" and name in texts and name not in schema.labels:
            dtype = pl.String()
        types[name] = dtype
    _check(schema, types, split, taken.files.paths[0])
    return types


def _check(schema: Schema, types: Mapping[str, pl.DataType], split: str | None, path: str) -> None:
    single = {field.name: f"a {field.kind} field" for field in schema.fields}
    single |= {vector.name: "a number" for vector in schema.vectors if vector.width == 1}
    single |= {name: f"the {role}" for role in ("time", "group", "weight", "score") if (name := getattr(schema, role))}
    single |= {task.label: "a label" for task in schema.tasks} | ({split: "the split"} if split is not None else {})
    for name, role in single.items():
        if types[name].is_nested() or types[name] == pl.Binary:
            raise _wrong(path, name, types[name], f"{role} is one value per row")
    for each in schema.sequences:
        inner = _inner(types[each.name])
        if types[each.name] != pl.String and (inner is None or inner.is_nested()):
            raise _wrong(path, each.name, types[each.name], "a sequence is a list of ids (in text: 3|5 or [3, 5])")
    for vector in schema.vectors:
        if vector.width > 1 and types[vector.name] != pl.String:
            inner = _inner(types[vector.name])
            if inner is None or not inner.is_numeric():
                wanted = f"a vector is a list of {vector.width} numbers (in text: 0.1 0.2 or [0.1, 0.2])"
                raise _wrong(path, vector.name, types[vector.name], wanted)


def _wrong(path: str, name: str, dtype: pl.DataType, wanted: str) -> UserError:
    return UserError(f"data.path: {path}: column {name!r} is {dtype}: {wanted}")


def _inner(dtype: pl.DataType) -> pl.DataType | None:
    """The type of a list's entries; None where it is no list."""
    return pl.Series([], dtype=dtype).explode().dtype if isinstance(dtype, pl.List) else None
