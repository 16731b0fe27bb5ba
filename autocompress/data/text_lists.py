"""Lists that stand in one cell of text: `3|5`, `[3, 5]`, and vectors: `[0.1, 0.2]`, `0.1|0.2`, `0.1 0.2`."""

from __future__ import annotations

import polars as pl

SHARE = 0.1
"""Share of the cells that hold `|` in a column of lists."""
BRACKETS = ","
"""The separator of lists in brackets; their entries may stand in quotes."""
_PROBE = 50
_IN_BRACKETS = r"^\s*\[[^\[\]]*\]\s*$"
_NUMBERS = r"[^\s,|\[\]]+"


def entries_of(text: pl.Series, separator: str) -> pl.Series:
    """The entries of every cell, List(String) without empty ones, null where null."""
    if separator == BRACKETS:
        text = text.str.strip_chars(" \t[]").str.replace_all(r"""\s*,\s*""", BRACKETS)
        return text.str.split(BRACKETS).list.eval(pl.element().str.strip_chars("\"'")).list.filter(pl.element() != "")
    return text.str.split(separator).list.filter(pl.element() != "")


def numbers_of(text: pl.Series) -> pl.Series:
    """The numbers of every cell, List(Float32), null where null; words in it do not count, `null` is NaN."""
    number = pl.element().replace({"null": "nan", "None": "nan"}).cast(pl.Float32, strict=False)
    return text.str.extract_all(_NUMBERS).list.eval(number.drop_nulls())


def list_separator(text: pl.Series) -> str | None:
    """What parts the entries of a column of lists: `BRACKETS` or `|`; None where the cells (none null) are no lists."""
    if bool(text.str.contains(_IN_BRACKETS).all()):
        return BRACKETS
    return "|" if text.str.contains("|", literal=True).sum() >= max(1, SHARE * len(text)) else None


def vector_width(text: pl.Series) -> int | None:
    """How many numbers every cell (none null) holds; None where cells differ, hold one or a word, or all are whole.

    Whole numbers are ids, and their lists sequences.
    """
    width: int | None = None
    for part in (text.head(_PROBE), text):
        lists = numbers_of(part)
        widths = {*part.str.extract_all(_NUMBERS).list.len().unique(), *lists.list.len().unique()}
        if len(widths) != 1:
            return None
        (width,) = widths
    numbers = lists.explode(empty_as_null=False, keep_nulls=False)
    return None if width is None or width < 2 or bool((numbers == numbers.round()).all()) else width
