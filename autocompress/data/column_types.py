"""The type of a column: of its text, or the one in which several files' types meet."""

from __future__ import annotations

import polars as pl

_EXACT_DIGITS = r"^[+-]?\d{17}"
_LEADING_ZERO = r"^[+-]?0\d"
_PROBE = 200
MOSTLY = 0.99
"""Share of the cells of a text from which on, if they are numbers, the others are bad cells."""
_MISSING = ("na", "n/a", "#n/a", "<na>", "n.a.", "nan", "null", "(null)", "none", "nil", "-", "--", "?", ".", "\\n")


def plain_type(dtype: pl.DataType) -> pl.DataType:
    """The type in which values of `dtype` are read: Decimal as Float64, Int128 as Int64, Array as List.

    Categorical and Enum are String.
    """
    if dtype.is_decimal():
        return pl.Float64()
    if isinstance(dtype, pl.Array):
        return pl.List(plain_type(dtype.inner() if isinstance(dtype.inner, type) else dtype.inner))
    if dtype in (pl.Int128(), pl.UInt128()):
        return pl.Int64()
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


def missing_words(text: pl.Series) -> list[str]:
    """The cells of a column of numbers that are ordinary words for a missing value; none of any other column."""
    for part in (text.head(_PROBE), text):
        words = part.filter(_is_word(part))
        if not _means_missing(words).all():
            return []
    return words.unique().sort().to_list() if len(words) + text.null_count() < len(text) else []


def first_word_among_numbers(text: pl.Series) -> int | None:
    """Position of the first cell that is no number, where at least `MOSTLY` of the cells are; None elsewhere.

    Missing cells do not count, and digits that a number would not give back (leading zeros) are no numbers.
    """
    for part in (text.head(_PROBE), text):
        words = _is_word(part) & ~_means_missing(part)
        if int(words.sum()) > len(part) / 2:
            return None
    numbers = text.filter(~_is_word(text))
    few = 0 < (wrong := int(words.sum())) <= (1 - MOSTLY) * (wrong + len(numbers) - numbers.null_count())
    return words.arg_max() if few and text_type(numbers).is_numeric() else None


def _is_word(text: pl.Series) -> pl.Series:
    return text.is_not_null() & text.str.strip_chars_start(" ").cast(pl.Float64, strict=False).is_null()


def _means_missing(text: pl.Series) -> pl.Series:
    return text.str.strip_chars().str.to_lowercase().is_in(_MISSING).fill_null(False)


def from_text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Text as `dtype`, null where it does not fit; reads as the CSV parser of Polars does."""
    if not dtype.is_numeric():
        return column
    return column.str.strip_chars_start(" ").cast(dtype, strict=False)
