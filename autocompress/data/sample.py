"""The first rows of a log's files: the types in which all files are read, and what is said of files that differ.

Types come from the files' own schemas (Parquet) or from the values of the sample (text, JSON lines).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import polars as pl

from autocompress.data.bad_cells import bad_cell, explain, first_misfit
from autocompress.data.bad_text import shorter_rows
from autocompress.data.column_types import common_type, from_text, missing_words, plain_type, text_type
from autocompress.data.scan import SAMPLE, Files, Types, partition, scan
from autocompress.errors import UserError, nearest

_NOTES = 8
_RENAMED = re.compile(r"(.*)_duplicated_\d+")


@dataclass(frozen=True)
class Sample:
    """The first rows of `files` in the types in which all of them are read (Null where a column is empty).

    `files` know what stands for missing in columns of numbers. `heights`: rows per file. `notes`: lines about what is
    read otherwise than it is written, or not at all.
    """

    files: Files
    rows: pl.DataFrame
    heights: tuple[int, ...]
    notes: tuple[str, ...]

    def place(self, row: int) -> tuple[str, int]:
        """File of a row of the sample, and its number there (1 is the first)."""
        file = 0
        while row >= self.heights[file]:
            row -= self.heights[file]
            file += 1
        return self.files.paths[file], row + 1

    def bad_cell(self, column: str, row: int, allowed: str) -> UserError:
        """The error for a cell of the sample's `row` (0 is its first)."""
        path, number = self.place(row)
        return bad_cell(path, column, number, self.rows[column][row], allowed)


def sample(files: Files, rows: int = SAMPLE) -> Sample:
    """The first `rows` rows of the files.

    `UserError` names file and column where a file lacks a column that the first one has, holds another type there, or
    has a name that Polars takes for a pattern.
    """
    parts: list[pl.DataFrame] = []
    for path in files.paths:
        parts.append(_head(files, path, rows - sum(each.height for each in parts)))
        _require(files, path, parts[-1], parts[0].columns)
    notes = [
        line for path, part in zip(files.paths, parts, strict=True) for line in _notes(files, path, part, parts[0])
    ]
    names = parts[0].columns
    if files.format == "text":
        words = {name: {word for part in parts for word in missing_words(part[name])} for name in names}
        missing = sorted({word for found in words.values() for word in found})
        if missing:
            where = ", ".join(name for name, found in words.items() if found)
            notes.insert(0, f"{', '.join(missing)} (in numbers: {where}) is read as missing in every column")
            files = replace(files, missing=tuple(missing))
            parts = [part.with_columns(pl.all().replace(dict.fromkeys(missing))) for part in parts]
    types: Types = {}
    for path, part in zip(files.paths, parts, strict=True):
        for name in names:
            found = _type(files, part[name])
            types[name] = _agreed(files, path, part[name], types.get(name, found), found)
    typed = [_typed(files, path, part, types) for path, part in zip(files.paths, parts, strict=True)]
    return Sample(files, pl.concat(typed), tuple(part.height for part in parts), _first(notes))


def _head(files: Files, path: str, rows: int) -> pl.DataFrame:
    try:
        return scan(files, path).head(rows).collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise explain(error, files, path, {}) from error


def _typed(files: Files, path: str, part: pl.DataFrame, types: Types) -> pl.DataFrame:
    typed = from_text if files.format == "text" else pl.Expr.cast
    try:
        return part.select(typed(pl.col(name), types[name]) for name in types)
    except pl.exceptions.PolarsError as error:
        raise explain(error, files, path, types) from error


def _notes(files: Files, path: str, part: pl.DataFrame, first: pl.DataFrame) -> Iterator[str]:
    """What is said of a file, of which `part` holds the first rows; `first` is that of the first file."""
    extra = [name for name in part.columns if name not in first.columns]
    if extra:
        yield f"{path}: not read, as {files.paths[0]} lacks it: {', '.join(extra)}"
    if files.format != "text":
        return
    for name in part.columns:
        twice = _RENAMED.fullmatch(name)
        if twice and twice[1] in part.columns:
            yield f"{path}: {twice[1]!r} stands twice in the header: the later one is read as {name!r}"
    if part.height and any(part[name].null_count() for name in _last_column(path, part)):
        count, line = shorter_rows(path, files.separator, part.height + files.header)
        if count:
            yield f"{path}: {count:,} of its first {part.height:,} rows have too few cells, as in line {line:,}"


def _first(notes: list[str]) -> tuple[str, ...]:
    more = [f"and {len(notes) - _NOTES:,} more such lines"] if len(notes) > _NOTES else []
    return (*notes[:_NOTES], *more)


def _last_column(path: str, part: pl.DataFrame) -> list[str]:
    return [name for name in part.columns if name not in partition(path)][-1:]


def _type(files: Files, column: pl.Series) -> pl.DataType:
    return text_type(column) if files.format == "text" else plain_type(column.dtype)


def _require(files: Files, path: str, part: pl.DataFrame, names: list[str]) -> None:
    """`UserError` where a file lacks one of the columns `names`; a JSON key may be missing, but not from all rows."""
    there = part.columns
    for name in there:
        if name == "*" or (name.startswith("^") and name.endswith("$")):
            raise UserError(f"data.path: {path} has a column {name!r}: rename it, its name reads as a pattern")
    if files.format == "json" and not set(names) <= set(there):
        there = pl.scan_ndjson(path, infer_schema_length=None).collect_schema().names()
    for name in names:
        if name not in there:
            raise UserError(f"data.path: {path} has no column {name!r}, {files.paths[0]} has{nearest(name, there)}")


def _agreed(files: Files, path: str, column: pl.Series, known: pl.DataType, found: pl.DataType) -> pl.DataType:
    agreed = common_type(known, found)
    # a column of text may hold nothing but numbers in one file
    if agreed is None and files.format == "text" and known == pl.String():
        return known
    row = first_misfit(column, known) if agreed is None and column.dtype == pl.String else None
    if row is not None:
        raise bad_cell(path, column.name, row + 1, column[row], f"{files.paths[0]} has {known} there")
    if agreed is None:
        raise UserError(f"data.path: column {column.name!r} of {path} is {found}, that of {files.paths[0]} is {known}")
    return agreed
