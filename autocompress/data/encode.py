"""Encoding: raw values to ids and numbers, fitted on the training split, stored beside every model that reads them.

Id 0 of a table is its out-of-vocabulary row (a value unseen, rarer than `min_count`, missing or pruned). Categorical
ids follow falling training frequency (ties by value), so pruning rows by frequency cuts a vocabulary's tail. Numeric
ids are 1 + the number of edges below the value. In lists, -1 is padding.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from autocompress.data import columns
from autocompress.data.inputs import Inputs
from autocompress.data.spool import require_columns
from autocompress.schema import Field, Schema, Vector
from autocompress.schema import Sequence as List

FILE = "encoder.parquet"
FEW_EDGES = 100
"""Up to so many, comparing every number with each edge is faster than a binary search: it never branches."""


@dataclass(frozen=True)
class Encoder:
    """What was fitted, by input name.

    A vocabulary (native dtype, id = position + 1, or what `ids` has at its position, >= 1), bucket edges (Float64,
    ascending), or of a standardised number [mean, deviation, lowest, highest] (Float64); nothing for hashed inputs and
    vectors that are taken as they are.
    """

    schema: Schema
    values: Mapping[str, pl.Series]
    ids: Mapping[str, NDArray[np.int32]] = dataclasses.field(default_factory=dict)

    @property
    def rows(self) -> tuple[int, ...]:
        """Rows that each table of the schema needs, the out-of-vocabulary row counted."""
        lists = (each for each in self.schema.sequences if each.shares is None)
        return (*map(self._rows, self.schema.fields), *map(self._list_rows, lists))

    @property
    def slot_rows(self) -> tuple[int, ...]:
        """Rows of the table that each slot of packed ids reads."""
        rows = self.rows
        return tuple(rows[table] for table in self.schema.slots)

    def _rows(self, each: Field) -> int:
        if each.encoding == "hash":
            return each.buckets + 1
        return len(self.values[each.name]) + 2 if each.kind == "numeric" else self._vocabulary_rows(each.name)

    def _list_rows(self, each: List) -> int:
        return 1 + each.buckets if each.encoding == "hash" else self._vocabulary_rows(each.name)

    def _vocabulary_rows(self, name: str) -> int:
        return 1 + (int(self.ids[name].max()) if name in self.ids else len(self.values[name]))


def encode_inputs(frame: pl.DataFrame, encoder: Encoder) -> Inputs:
    """All inputs of the rows of `frame`; labels are not needed. `UserError` names an input that `frame` lacks."""
    schema = encoder.schema
    lists = [encode_list(frame, each, encoder) for each in schema.sequences]
    ids = encode(frame, encoder)
    numbers = [encode_vector(frame, vector, encoder) for vector in schema.vectors]
    return Inputs(np.hstack([ids, *lists]) if lists else ids, np.hstack(numbers) if numbers else None)


def encode(frame: pl.DataFrame, encoder: Encoder) -> NDArray[np.int32]:
    """Ids, int32, shape (rows, fields), C order; unknown and missing values become 0. Labels are not needed.

    `UserError` names a field that `frame` lacks.
    """
    require_columns(frame.columns, encoder.schema.field_names)
    ids = np.empty((frame.height, len(encoder.schema.fields)), dtype=np.int32)
    for index, field in enumerate(encoder.schema.fields):
        column = frame[field.name]
        if field.kind == "numeric":
            numbers = frame.select(columns.number(pl.col(field.name), column.dtype)).to_series().to_numpy()
            ids[:, index] = bucket(numbers, encoder.values[field.name].to_numpy())
        elif field.encoding == "hash":
            ids[:, index] = columns.hashed(column, field.buckets)
        else:
            ids[:, index] = look_up(column, encoder.values[field.name], encoder.ids.get(field.name))
    return ids


def encode_list(frame: pl.DataFrame, each: List, encoder: Encoder) -> NDArray[np.int32]:
    """Ids of a list, int32 (rows, length): -1 is padding on the left, 0 an unknown entry."""
    require_columns(frame.columns, [each.name])
    entries, lengths = columns.tails(frame[each.name], each.length, each.separator)
    buckets = hash_buckets(each, encoder.schema)
    ids = (
        columns.hashed(entries, buckets).astype(np.int32)
        if buckets
        else look_up(entries, encoder.values[each.shares or each.name], encoder.ids.get(each.shares or each.name))
    )
    return columns.padded(ids, lengths, each.length, -1)


def encode_vector(frame: pl.DataFrame, vector: Vector, encoder: Encoder) -> NDArray[np.float32]:
    """A vector, float32 (rows, width); missing is 0."""
    require_columns(frame.columns, [vector.name])
    column = frame[vector.name]
    if vector.width > 1:
        return np.nan_to_num(columns.vectors(column, vector.width), posinf=np.inf, neginf=-np.inf)
    numbers = frame.select(columns.number(pl.col(vector.name), column.dtype)).to_series().to_numpy()
    fitted = encoder.values[vector.name].to_numpy() if vector.standardise else None
    return standardised(numbers, fitted)[:, None]


def hash_buckets(each: List, schema: Schema) -> int:
    """Buckets of a hashed list (its own, or those of the field whose ids it shares); 0 where it has a vocabulary."""
    if each.shares is None:
        return each.buckets if each.encoding == "hash" else 0
    return next((f.buckets for f in schema.fields if f.name == each.shares and f.encoding == "hash"), 0)


def bucket(numbers: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int32]:
    """1 + the number of edges below each value; 0 where it is missing."""
    if len(edges) > FEW_EDGES:
        below = np.searchsorted(edges, numbers, side="left") + 1
    else:
        below = np.ones(len(numbers), dtype=np.uint8)
        for edge in edges:
            np.add(below, (numbers > edge).view(np.uint8), out=below)
    return np.where(np.isnan(numbers), 0, below).astype(np.int32)


def standardised(numbers: NDArray[np.float64], fitted: NDArray[np.float64] | None) -> NDArray[np.float32]:
    """Clipped, centred and scaled by `fitted` [mean, deviation, lowest, highest] (None: as they are); missing is 0."""
    if fitted is not None:
        mean, deviation, lowest, highest = fitted
        numbers = (np.clip(numbers, lowest, highest) - mean) / deviation
    return np.where(np.isnan(numbers), 0.0, numbers).astype(np.float32)


def look_up(column: pl.Series, values: pl.Series, ids: NDArray[np.int32] | None = None) -> NDArray[np.int32]:
    """Position + 1 of each value among the distinct `values`, or its entry of `ids`; 0 where it is not among them."""
    known = pl.DataFrame({"value": values, "id": np.arange(1, len(values) + 1, dtype=np.int32) if ids is None else ids})
    asked = column.to_frame("value").select(_native(column.dtype, values.dtype))
    found = asked.join(known, on="value", how="left", maintain_order="left")["id"]
    return found.fill_null(0).to_numpy()


def _native(have: pl.DataType, want: pl.DataType) -> pl.Expr:
    """Column `value` in the vocabulary's type, as the spool wrote it."""
    if want == pl.String:
        return columns.canonical(pl.col("value"), have)
    if have.is_float():
        return (pl.col("value") + 0.0).fill_nan(None).cast(want, strict=False)
    return pl.col("value").cast(want, strict=False)


def prunable(schema: Schema) -> tuple[bool, ...]:
    """Whether each table has a vocabulary, so that its rarest rows can go."""
    fields = (field.kind == "categorical" and field.encoding == "vocabulary" for field in schema.fields)
    return (*fields, *(each.encoding == "vocabulary" for each in schema.sequences if each.shares is None))


def save(encoder: Encoder, folder: Path) -> None:
    """Writes `encoder.parquet` (field, dtype, value as text, its id where that is not its place); the schema is stored
    beside it."""
    empty = pl.DataFrame(schema={"field": pl.String, "dtype": pl.String, "value": pl.String, "id": pl.Int32})
    parts = [
        pl.DataFrame({"value": values.cast(pl.String)}).select(
            field=pl.lit(name),
            dtype=pl.lit(str(values.dtype)),
            value="value",
            id=pl.Series(encoder.ids[name]) if name in encoder.ids else pl.lit(None, pl.Int32),
        )
        for name, values in encoder.values.items()
    ]
    pl.concat([empty, *parts]).write_parquet(folder / FILE, compression="zstd")


def load(schema: Schema, folder: Path) -> Encoder:
    """Reads what `save` wrote. Inputs without a single value come back as empty String vocabularies."""
    table = pl.read_parquet(folder / FILE).partition_by("field", as_dict=True, maintain_order=True)
    values: dict[str, pl.Series] = {}
    ids: dict[str, NDArray[np.int32]] = {}
    for name in fitted_inputs(schema):
        numeric = any(each.name == name and each.kind == "numeric" for each in schema.fields)
        part = table.get((name,))
        dtype = getattr(pl, part["dtype"][0]) if part is not None else (pl.Float64 if numeric else pl.String)
        column = part["value"] if part is not None else pl.Series([], dtype=pl.String)
        values[name] = column.cast(dtype).alias(name)
        if part is not None and "id" in part and part["id"].null_count() < len(part):
            ids[name] = part["id"].to_numpy()
    return Encoder(schema, values, ids)


def fitted_inputs(schema: Schema) -> list[str]:
    """Names of the inputs that something is fitted for."""
    return [
        *(field.name for field in schema.fields if field.encoding != "hash"),
        *(each.name for each in schema.sequences if each.shares is None and each.encoding != "hash"),
        *(vector.name for vector in schema.vectors if vector.standardise),
    ]
