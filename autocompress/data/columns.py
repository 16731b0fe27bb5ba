"""Raw columns of a frame as plain arrays: codes, hashed ids, numbers, padded lists, vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from autocompress.data.hashing import text_hash
from autocompress.data.text_lists import entries_of, numbers_of
from autocompress.errors import UserError
from autocompress.schema import Schema

MISSING, PADDING = np.uint32(2**32 - 1), np.uint32(2**32 - 2)
KEY = "key:"
"""How the names of keys in a spool begin."""
Kind = Literal["codes", "hash", "numbers", "lists", "hashed_lists", "vectors"]


@dataclass(frozen=True)
class Column:
    """How column `source` of a frame is written; `values` names the vocabulary that it shares with its like."""

    source: str
    kind: Kind
    values: str | None = None
    width: int = 0
    buckets: int = 0
    separator: str | None = None


def layout(schema: Schema, split_column: str | None) -> dict[str, Column]:
    """Every column that the schema (and the split) needs, by its name in the spool.

    `UserError` where an input has the name of a key.
    """
    found: dict[str, Column] = {}
    for field in schema.fields:
        if field.kind == "numeric":
            found[field.name] = Column(field.name, "numbers")
        elif field.encoding == "hash":
            found[field.name] = Column(field.name, "hash", buckets=field.buckets)
        else:
            found[field.name] = Column(field.name, "codes", values=field.name)
    hashed = {field.name: field.buckets for field in schema.fields if field.encoding == "hash"}
    for each in schema.sequences:
        buckets = hashed.get(each.shares or "", each.buckets if each.encoding == "hash" else 0)
        values = None if buckets else each.shares or each.name
        kind: Kind = "hashed_lists" if buckets else "lists"
        found[each.name] = Column(each.name, kind, values, each.length, buckets, each.separator)
    for vector in schema.vectors:
        kind = "vectors" if vector.width > 1 else "numbers"
        found[vector.name] = Column(vector.name, kind, width=vector.width if vector.width > 1 else 0)
    if taken := [name for name in found if name.startswith(KEY)]:
        raise UserError(f"input {taken[0]!r} must have another name: {KEY} is how keys begin in the spool")
    for role, name in (("time", schema.time), ("weight", schema.weight), ("score", schema.score)):
        if name is not None:
            found[f"{KEY}{role}"] = Column(name, "numbers")
    for role, name in (("group", schema.group), ("split", split_column)):
        if name is not None:
            found[f"{KEY}{role}"] = Column(name, "codes", values=f"{KEY}{role}")
    return found


def new_vocabulary() -> pl.Series:
    """A growing vocabulary: an empty series whose type remembers the code of every value that is cast to it.

    The series must stay alive while codes are compared: Polars forgets them when no series has the type any more.
    """
    return pl.Series([], dtype=pl.Categorical(pl.Categories.random()))


def vocabulary(grown: pl.Series, known: int) -> pl.Series:
    """The values (text) of a vocabulary that has grown to `known` values, position = code."""
    codes = pl.DataFrame({"code": np.arange(known, dtype=np.uint32)})
    return codes.select(pl.col("code").cat.to(grown.dtype).cast(pl.String)).to_series()


def arrays(
    frame: pl.DataFrame, columns: Mapping[str, Column], vocabularies: Mapping[str, pl.Series], before: int = 0
) -> dict[str, NDArray[Any]]:
    """One array per column, n = frame.height rows.

    `codes`: uint32 (n,), position in the vocabulary, `MISSING` where null. `hash`: uint32 (n,), 1 to buckets, 0 where
    null. `numbers`: float64 (n,), NaN where null or no number. `lists`, `hashed_lists`: uint32 (n, width), the last
    `width` entries, `PADDING` before them. `vectors`: float32 (n, width), NaN where null; `UserError` where a vector
    has another width, with its row: `before` rows of the log came before these.
    """
    flat = frame.select(
        _codes(column, frame.schema[column.source], vocabularies).alias(name)
        if column.kind == "codes"
        else number(pl.col(column.source), frame.schema[column.source]).alias(name)
        for name, column in columns.items()
        if column.kind in ("codes", "numbers")
    )
    result: dict[str, NDArray[Any]] = {}
    for name, column in columns.items():
        match column.kind:
            case "codes" | "numbers":
                result[name] = np.ascontiguousarray(flat[name].to_numpy())
            case "hash":
                result[name] = hashed(frame[column.source], column.buckets)
            case "vectors":
                result[name] = vectors(frame[column.source], column.width, before)
            case "lists" | "hashed_lists":
                entries, lengths = tails(frame[column.source], column.width, column.separator)
                result[name] = padded(_entry_codes(entries, column, vocabularies), lengths, column.width, PADDING)
    return result


def canonical(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Text of a categorical value: equal text for equal values (-0.0 is 0.0), null for NaN."""
    if dtype.is_float():
        column = (column + 0.0).fill_nan(None)
    return column.cast(pl.String)


def number(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Float64, NaN where null or no number; dates and times count their own unit."""
    if dtype.is_temporal():
        column = column.to_physical()
    return column.cast(pl.Float64, strict=False).fill_null(float("nan"))


def hashed(column: pl.Series, buckets: int) -> NDArray[np.uint32]:
    """Ids by hash, uint32: 1 to `buckets`, 0 where null."""
    text = column.to_frame("c").select(canonical(pl.col("c"), column.dtype))["c"]
    ids = text_hash(text) % np.uint32(buckets) + np.uint32(1)
    return np.where(text.is_null().to_numpy(), np.uint32(0), ids)


def vectors(column: pl.Series, width: int, before: int = 0) -> NDArray[np.float32]:
    """Float32 (n, width), NaN where null; text is read by `text_lists.numbers_of`.

    `UserError` naming the first row (1 is the first of all, `before` of them came earlier) of another width.
    """
    lists = numbers_of(column) if column.dtype == pl.String else column.cast(pl.List(pl.Float32))
    wrong = lists.list.len().ne(width) & lists.is_not_null()
    if wrong.any():
        row = wrong.arg_max()
        assert row is not None
        raise UserError(
            f"column {column.name!r} holds a vector of {len(lists[row])} numbers in row {before + row + 1:,} of the "
            f"log: its width is {width}"
        )
    result = np.full((len(lists), width), np.nan, dtype=np.float32)
    there = lists.is_not_null().to_numpy()
    if there.any():
        entries = lists.drop_nulls().explode(empty_as_null=False, keep_nulls=False).fill_null(float("nan"))
        result[there] = entries.to_numpy().reshape(-1, width)
    return result


def tails(column: pl.Series, length: int, separator: str | None) -> tuple[pl.Series, NDArray[np.int64]]:
    """The last `length` entries of every list, one after another, and how many each list has (null: none)."""
    if column.dtype == pl.String:
        column = entries_of(column, separator or "|")
    last = column.list.tail(length)
    lengths = last.list.len().fill_null(0).cast(pl.Int64).to_numpy()
    return last.explode(empty_as_null=False, keep_nulls=False), lengths


def padded(entries: NDArray[Any], lengths: NDArray[np.int64], width: int, padding: int | np.uint32) -> NDArray[Any]:
    """Lists of at most `width` entries as a matrix (n, width), right-aligned behind `padding`."""
    result = np.full((len(lengths), width), padding, dtype=entries.dtype)
    result[np.arange(width) >= (width - lengths)[:, None]] = entries
    return result


def _codes(column: Column, dtype: pl.DataType, vocabularies: Mapping[str, pl.Series]) -> pl.Expr:
    assert column.values is not None
    text = canonical(pl.col(column.source), dtype)
    return text.cast(vocabularies[column.values].dtype).to_physical().fill_null(int(MISSING))


def _entry_codes(entries: pl.Series, column: Column, vocabularies: Mapping[str, pl.Series]) -> NDArray[np.uint32]:
    if column.kind == "hashed_lists":
        return hashed(entries, column.buckets)
    frame = entries.to_frame(column.source)
    codes: NDArray[np.uint32] = frame.select(_codes(column, entries.dtype, vocabularies)).to_series().to_numpy()
    return codes
