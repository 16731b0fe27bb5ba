"""Where a file went wrong: file, column, row and value, looked for only after Polars refused it.

A second look reads every cell as text, or every line by itself, so that the first one need check nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping

import polars as pl

from autocompress.data import bad_json, bad_text
from autocompress.data.column_types import from_text
from autocompress.data.scan import Files, scan
from autocompress.data.source import CHUNK
from autocompress.errors import UserError


def shown(value: object) -> str:
    """A value as it is quoted in an error."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def bad_cell(path: str, column: str, row: int, value: object, allowed: str) -> UserError:
    """The error for the cell of the file's `row` (1 is its first row of data)."""
    return UserError(f"data.path: {path}: column {column!r} holds {shown(value)} in row {row:,}: {allowed}")


def explain(error: Exception, files: Files, path: str, types: Mapping[str, pl.DataType]) -> UserError:
    """What is wrong with the file at `path`, one of `files`, whose columns were read in `types` when `error` came."""
    reason = str(error).splitlines()[0]
    found: UserError | None = None
    try:
        if files.format == "json":
            found = _json_fault(path, types)
        elif files.format == "text" and ("utf-8" in reason or "utf8" in reason):
            found = _undecodable(files, path)
        elif files.format == "text" and "more fields" in reason:
            found = _too_wide(files, path)
        else:
            found = _misfit(files, path, types)
    except (pl.exceptions.PolarsError, OSError, csv.Error):
        found = None
    return found or UserError(f"data.path: {path} cannot be read: {reason}")


def first_misfit(text: pl.Series, dtype: pl.DataType) -> int | None:
    """Position of the first cell that is no `dtype`; None where all are."""
    frame = text.to_frame("cell")
    wrong = frame.select(pl.col("cell").is_not_null() & from_text(pl.col("cell"), dtype).is_null()).to_series()
    return wrong.arg_max() if wrong.any() else None


def _misfit(files: Files, path: str, types: Mapping[str, pl.DataType]) -> UserError | None:
    numbers = {name: dtype for name, dtype in types.items() if dtype.is_numeric()}
    texts = scan(files, path, None if files.format == "text" else dict.fromkeys(numbers, pl.String()), lossy=True)
    before = 0
    for frame in texts.select(list(numbers)).collect_batches(chunk_size=CHUNK, maintain_order=True):
        found = [
            (row, name) for name, dtype in numbers.items() if (row := first_misfit(frame[name], dtype)) is not None
        ]
        if found:
            row, name = min(found)
            return bad_cell(path, name, before + row + 1, frame[name][row], f"its other values are {types[name]}")
        before += frame.height
    return None


def _json_fault(path: str, types: Mapping[str, pl.DataType]) -> UserError | None:
    found = bad_json.first_fault(path, types)
    if found is None:
        return None
    column, row, value, wrong = found
    if column is None:
        return UserError(f"data.path: {path} {wrong} in line {row:,}: {shown(value)}")
    return bad_cell(path, column, row, value, wrong)


def _undecodable(files: Files, path: str) -> UserError | None:
    found = bad_text.first_undecodable(path, files.separator)
    if found is None:
        return None
    row, cell, text = found
    if files.header and not row:
        return UserError(f"data.path: {path} is not UTF-8 in its header: {shown(text)}")
    names = scan(files, path, lossy=True).collect_schema().names()
    column = f", column {names[cell]!r}" if cell < len(names) else ""
    number = row + (0 if files.header else 1)
    return UserError(f"data.path: {path} is not UTF-8 in row {number:,}{column}: {shown(text)}")


def _too_wide(files: Files, path: str) -> UserError | None:
    found = bad_text.first_wider(path, files.separator)
    if found is None:
        return None
    width, line, text = found
    return UserError(f"data.path: {path} has more than {width} cells in line {line:,}: {shown(text)}")
