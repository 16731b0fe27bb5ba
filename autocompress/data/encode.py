"""Encoding: raw values to ids, fitted on the training split, stored beside every model that reads them.

Id 0 of a field is its out-of-vocabulary row (a value unseen, rarer than `min_count`, missing or pruned). Categorical
ids follow falling frequency (ties by value), so pruning rows by frequency cuts a vocabulary's tail. Numeric ids are
1 + the number of quantile edges below the value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from autocompress.errors import UserError, nearest
from autocompress.schema import Field, Schema

FILE = "encoder.parquet"


@dataclass(frozen=True)
class Encoder:
    """Vocabulary (native dtype, id = position + 1) or bucket edges (Float64, ascending) per field of `schema`."""

    schema: Schema
    values: Mapping[str, pl.Series]

    @property
    def rows(self) -> tuple[int, ...]:
        """Embedding rows that each field needs, the out-of-vocabulary row counted."""
        return tuple(
            len(self.values[field.name]) + (2 if field.kind == "numeric" else 1) for field in self.schema.fields
        )


def fit(frame: pl.DataFrame, schema: Schema) -> Encoder:
    """Fits on the rows of `frame`; `UserError` names a field that it lacks."""
    require_columns(frame.columns, schema, labels=False)
    return Encoder(schema, {field.name: _fit_field(frame[field.name], field) for field in schema.fields})


def _fit_field(column: pl.Series, field: Field) -> pl.Series:
    if field.kind == "numeric":
        present = column.cast(pl.Float64).drop_nulls().drop_nans()
        levels = np.linspace(0.0, 1.0, field.buckets + 1)[1:-1]
        edges: list[float] = []
        if len(present):
            edges = np.unique(np.quantile(present.to_numpy(), levels, method="inverted_cdf")).tolist()
        return pl.Series(field.name, edges, dtype=pl.Float64)
    if not (column.dtype.is_integer() or column.dtype.is_float() or column.dtype == pl.Null):
        column = column.cast(pl.String)  # so that what `save` writes as text can be read back: booleans, dates, enums
    counts = (
        pl.DataFrame({"value": column})
        .drop_nulls()
        .group_by("value")
        .len()
        .filter(pl.col("len") >= field.min_count)
        .sort("len", "value", descending=[True, False])
    )
    return counts["value"].alias(field.name)


def encode(frame: pl.DataFrame, encoder: Encoder) -> NDArray[np.int32]:
    """Ids, int32, shape (rows, fields), C order; unknown and missing values become 0. Labels are not needed."""
    require_columns(frame.columns, encoder.schema, labels=False)
    ids = np.empty((frame.height, len(encoder.schema.fields)), dtype=np.int32)
    for index, field in enumerate(encoder.schema.fields):
        ids[:, index] = _encode_field(frame[field.name], field, encoder.values[field.name])
    return ids


def _encode_field(column: pl.Series, field: Field, values: pl.Series) -> NDArray[np.int32]:
    if field.kind == "numeric":
        numbers = column.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
        buckets = np.searchsorted(values.to_numpy(), numbers, side="left") + 1
        return np.where(np.isnan(numbers), 0, buckets).astype(np.int32)
    known = pl.DataFrame({"value": values, "id": np.arange(1, len(values) + 1, dtype=np.int32)})
    asked = pl.DataFrame({"value": column.cast(values.dtype, strict=False)})
    found = asked.join(known, on="value", how="left", maintain_order="left")["id"]
    return found.fill_null(0).to_numpy()


def truncate(encoder: Encoder, rows: Sequence[int]) -> Encoder:
    """The encoder of a model whose field i keeps only its first `rows[i]` embedding rows (>= 1).

    Ids past the end become 0, as in `clip_ids`. Raises `ValueError` where a numeric field would lose a bucket.
    """
    kept: dict[str, pl.Series] = {}
    for field, have, keep in zip(encoder.schema.fields, encoder.rows, rows, strict=True):
        if field.kind == "numeric" and keep != have:
            raise ValueError(f"field {field.name!r} is numeric: its {have} buckets cannot be pruned to {keep}")
        kept[field.name] = encoder.values[field.name][: keep - 1] if keep < have else encoder.values[field.name]
    return replace(encoder, values=kept)


def clip_ids(ids: NDArray[np.int32], rows: Sequence[int]) -> NDArray[np.int32]:
    """Ids (rows, fields) with every id that a truncated vocabulary lacks replaced by 0."""
    return np.where(ids < np.asarray(rows, dtype=np.int32), ids, 0)


def require_columns(columns: Sequence[str], schema: Schema, *, labels: bool) -> None:
    """`UserError` naming the first field (or label, where `labels`) that `columns` lacks, and the nearest column."""
    wanted = [*schema.field_names, *((task.label for task in schema.tasks) if labels else ())]
    for name in wanted:
        if name not in columns:
            raise UserError(f"column {name!r} is missing from the rows{nearest(name, columns)}")


def save(encoder: Encoder, folder: Path) -> None:
    """Writes `encoder.parquet` (field, dtype, value as text, in id order); the schema is stored beside it."""
    parts = [
        pl.DataFrame({"value": values.cast(pl.String)}).select(
            field=pl.lit(name), dtype=pl.lit(str(values.dtype)), value="value"
        )
        for name, values in encoder.values.items()
    ]
    pl.concat(parts).write_parquet(folder / FILE, compression="zstd")


def load(schema: Schema, folder: Path) -> Encoder:
    """Reads what `save` wrote. Fields without a single value come back as empty String vocabularies."""
    table = pl.read_parquet(folder / FILE)
    values: dict[str, pl.Series] = {}
    for field in schema.fields:
        rows = table.filter(pl.col("field") == field.name)
        fallback = "Float64" if field.kind == "numeric" else "String"
        dtype = getattr(pl, rows["dtype"][0] if rows.height else fallback)
        values[field.name] = rows["value"].cast(dtype).alias(field.name)
    return Encoder(schema, values)
