"""Rows of delimited text files, plain or gz, chunk by chunk; every value enters as text and is then made a type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from autocompress.data.source import CHUNK
from autocompress.errors import UserError, nearest


def text_chunks(
    path: Path,
    columns: tuple[str, ...],
    separator: str,
    header: bool,
    convert: Callable[[pl.DataFrame, int], pl.DataFrame],
) -> Iterator[pl.DataFrame]:
    """The file's `columns` in its order, at most about `CHUNK` rows at a time, through `convert(frame, rows before)`.

    Every column is text; empty is null. Without a header, `columns` are all that a line holds. `UserError` names the
    file where it cannot be read, has no row, or lacks a column.
    """
    before = 0
    try:
        rows = pl.scan_csv(
            path,
            separator=separator,
            has_header=header,
            quote_char=None,
            infer_schema=False,
            schema=None if header else dict.fromkeys(columns, pl.String),
        )
        if header:
            known = rows.collect_schema().names()
            for column in columns:
                if column not in known:
                    raise UserError(f"data.root: {path} has no column {column!r}{nearest(column, known)}")
        for frame in rows.select(columns).collect_batches(chunk_size=CHUNK, maintain_order=True):
            yield convert(frame, before)
            before += frame.height
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UserError(f"data.root: {path} cannot be read: {str(error).splitlines()[0]}") from error
    if not before:
        raise UserError(f"data.root: {path} has no rows")


def binary(frame: pl.DataFrame, column: str, path: Path, before: int) -> pl.Series:
    """A text column of 0 and 1 as Int8; `UserError` names the first other value and its row, after `before` rows."""
    text = frame[column].str.strip_chars()
    return _checked(
        text.replace_strict({"0": 0, "1": 1}, default=None, return_dtype=pl.Int8), text, path, before, False
    )


def whole(frame: pl.DataFrame, column: str, path: Path, before: int) -> pl.Series:
    """A text column of whole numbers as Int64, null where empty; `UserError` names the first that is none."""
    text = frame[column].str.strip_chars()
    return _checked(text.cast(pl.Int64, strict=False), text, path, before, True)


def hours(frame: pl.DataFrame, column: str, path: Path, before: int) -> pl.Series:
    """A text column of hours (YYMMDDHH) as Datetime; `UserError` names the first that is none."""
    text = frame[column].str.strip_chars()
    times = (text + "00").str.to_datetime("%y%m%d%H%M", time_unit="us", strict=False)
    return _checked(times, text, path, before, False)


ALLOWED = {pl.Int8: "0 and 1", pl.Int64: "whole numbers", pl.Datetime: "hours as YYMMDDHH"}


def _checked(values: pl.Series, text: pl.Series, path: Path, before: int, empty: bool) -> pl.Series:
    wrong = values.is_null() & (text.is_not_null() & (text != "") if empty else True)
    row = wrong.arg_max() if wrong.any() else None
    if row is not None:
        allowed = ALLOWED[values.dtype.base_type()]
        where = f"column {text.name!r}, row {before + row + 1}"
        raise UserError(f"data.root: {path} has {text[row]!r} in {where}: allowed are {allowed}")
    return values
