"""Which values of a label column count as 1: those a person names, or what the values themselves say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from autocompress.errors import UserError

YES, NO = {"1", "true", "yes", "y", "t"}, {"0", "false", "no", "n", "f"}
BAD = 0.01
"""Share of a sample up to which other values than the two of a label are bad cells, and not what it means."""
_SHOWN = 6
_BOUNDS = {">=": pl.Expr.ge, ">": pl.Expr.gt, "<=": pl.Expr.le, "<": pl.Expr.lt}


@dataclass(frozen=True)
class Meaning:
    """`one` are the values that count as 1, `zero` those that count as 0 (None: all others); values in neither are bad.

    Or `bound`, such as (">=", 4.0). `numeric`: values are numbers, of whatever type. `words`: values are the words of
    `YES` and `NO`, in upper or lower case. `why` is a line for a person, ""
    where the values are 0 and 1.
    """

    one: tuple[Any, ...] = ()
    zero: tuple[Any, ...] | None = None
    bound: tuple[str, float] | None = None
    numeric: bool = False
    words: bool = False
    why: str = ""


def meaning(column: pl.Series, positive: Sequence[str] | None, key: str) -> Meaning:
    """What the values of a label mean, judged by a sample of it. `key` is the one that an error tells to set.

    `positive` holds values, or one bound such as ">=4". Without it: 0/1, true/false, yes/no; else of two values the
    larger number or the rarer text is 1. `UserError` listing the values where they do not say.
    """
    values = column.drop_nans() if column.dtype.is_float() else column
    counts = values.drop_nulls().value_counts().sort("count", column.name, descending=[True, False])
    distinct: list[Any] = counts[column.name].to_list()
    if not distinct:
        raise UserError(f"label {column.name!r} is empty in all of the first {len(column):,} rows")
    if positive is not None:
        return _named(column, positive, distinct, key)
    if column.dtype == pl.Boolean:
        return Meaning(one=(True,), zero=(False,))
    if column.dtype.is_numeric():
        if _share(counts, {0, 1}) >= 1 - BAD:
            return Meaning(one=(1,), zero=(0,), numeric=True)
        if len(distinct) == 2:
            low, high = sorted(distinct)
            return Meaning((high,), (low,), numeric=True, why=f"{high} counts as 1, {low} as 0 ({key} changes it)")
    elif column.dtype == pl.String:
        spelt = {value: str(value).strip().lower() for value in distinct}
        if _share(counts, {value for value in distinct if spelt[value] in YES | NO}) >= 1 - BAD:
            return Meaning(one=tuple(sorted(YES)), zero=tuple(sorted(NO)), words=True)
        if len(distinct) == 2:
            often, rare = distinct
            return Meaning((rare,), (often,), why=f"{rare!r}, the rarer, counts as 1 and {often!r} as 0 ({key})")
    listed = ", ".join(repr(value) for value in distinct[:_SHOWN])
    more = f" and {len(distinct) - _SHOWN:,} more" if len(distinct) > _SHOWN else ""
    example = "'>=4'" if column.dtype.is_numeric() else f"'{distinct[-1]}'"
    raise UserError(f"label {column.name!r} holds {listed}{more}: say which count as 1, as in {key}={example}")


def binary(column: pl.Expr, meaning: Meaning) -> pl.Expr:
    """Int8: 1, 0, or null where the cell is missing or bad."""
    if meaning.numeric:
        column = column.cast(pl.Float64).fill_nan(None)
    if meaning.words:
        column = column.str.strip_chars().str.to_lowercase()
    if meaning.bound is not None:
        sign, limit = meaning.bound
        return _BOUNDS[sign](column, limit).cast(pl.Int8)
    one = column.is_in(_values(meaning.one))
    if meaning.zero is None:
        return one.cast(pl.Int8)
    return pl.when(one).then(1).when(column.is_in(_values(meaning.zero))).then(0).otherwise(None).cast(pl.Int8)


def is_bad(column: pl.Expr, meaning: Meaning) -> pl.Expr:
    """Where a cell is neither missing nor a value that counts as 1 or 0."""
    there = column.cast(pl.Float64).fill_nan(None) if meaning.numeric else column
    return there.is_not_null() & binary(column, meaning).is_null()


def allowed(meaning: Meaning) -> str:
    """The values that count as 1 or 0, as a person writes them."""
    return (
        "yes or no, true or false, 1 or 0"
        if meaning.words
        else " or ".join(map(str, meaning.one + (meaning.zero or ())))
    )


def _values(values: Sequence[Any]) -> list[Any]:
    """As a column of one type."""
    return [float(each) if isinstance(each, int) and not isinstance(each, bool) else each for each in values]


def _named(column: pl.Series, positive: Sequence[str], distinct: list[Any], key: str) -> Meaning:
    numeric = column.dtype.is_numeric()
    sign = next((sign for sign in _BOUNDS if len(positive) == 1 and positive[0].startswith(sign)), None)
    try:
        if numeric and sign is not None:
            return Meaning(bound=(sign, float(positive[0].removeprefix(sign))), numeric=True)
        one = tuple(float(each) for each in positive) if numeric else tuple(positive)
    except ValueError:
        raise UserError(
            f"{key}={','.join(positive)}: label {column.name!r} holds numbers: name numbers, or a bound such as '>=4'"
        ) from None
    if column.dtype == pl.Boolean:
        one = tuple(each.lower() in YES for each in positive)
    if not set(one) & set(distinct):
        listed = ", ".join(repr(value) for value in distinct[:_SHOWN])
        raise UserError(f"{key}={','.join(positive)}: label {column.name!r} never holds it, but {listed}")
    return Meaning(one=one, numeric=numeric)


def _share(counts: pl.DataFrame, values: set[Any]) -> float:
    often = {value: int(count) for value, count in counts.iter_rows()}
    return sum(count for value, count in often.items() if value in values) / sum(often.values())
