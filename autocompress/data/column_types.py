"""The type of a column: of its text, or the one in which several files' types meet."""

from __future__ import annotations

import polars as pl

_EXACT_DIGITS = r"^[+-]?\d{17}"
_LEADING_ZERO = r"^[+-]?0\d"
_PROBE = 200


def plain_type(dtype: pl.DataType) -> pl.DataType:
    """The type in which values of `dtype` are read: Decimal as Float64, Categorical and Enum as String."""
    if dtype.is_decimal():
        return pl.Float64()
    return pl.String() if isinstance(dtype, pl.Categorical | pl.Enum) else dtype


def common_type(one: pl.DataType, other: pl.DataType) -> pl.DataType | None:
    """The type that holds the values of both; None where they mean different things (a number and a text).

    Null (a column without a value) meets every type.
    """
    if one == other or isinstance(other, pl.Null):
        return one
    if isinstance(one, pl.Null):
        return other
    if one.is_unsigned_integer() and other.is_unsigned_integer():
        return pl.UInt64()
    if one.is_integer() and other.is_integer():
        return pl.Int64()
    if one.is_numeric() and other.is_numeric():
        return pl.Float64()
    if isinstance(one, pl.Datetime) and isinstance(other, pl.Datetime) and one.time_zone == other.time_zone:
        return pl.Datetime("us", one.time_zone)
    if isinstance(one, pl.List) and isinstance(other, pl.List):
        inner = common_type(_inner(one), _inner(other))
        return None if inner is None else pl.List(inner)
    return None


def _inner(dtype: pl.List) -> pl.DataType:
    return dtype.inner() if isinstance(dtype.inner, type) else dtype.inner


def text_type(text: pl.Series) -> pl.DataType:
    """Int64, UInt64 or Float64 where all cells are such numbers, Null where all are empty, String otherwise.

    Digits that a number would not give back (leading zeros, more than 16 digits in a Float64) stay String.
    """
    cells = text.drop_nulls().str.strip_chars_start(" ")
    if not len(cells):
        return pl.Null()
    for dtype in (pl.Int64(), pl.UInt64(), pl.Float64()):
        if any(part.cast(dtype, strict=False).null_count() for part in (cells.head(_PROBE), cells)):
            continue
        lossy = _LEADING_ZERO if dtype.is_integer() else f"{_LEADING_ZERO}|{_EXACT_DIGITS}"
        return pl.String() if cells.str.contains(lossy).any() else dtype
    return pl.String()


def from_text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Text as `dtype`, null where it does not fit; reads as the CSV parser of Polars does."""
    if not dtype.is_numeric():
        return column
    return column.str.strip_chars_start(" ").cast(dtype, strict=False)
