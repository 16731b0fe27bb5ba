"""Where a file went wrong: file, column, row and value, looked for only after Polars refused it.

A second look reads every cell as text, so that the first one need check nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from autocompress.data.column_types import from_text
from autocompress.data.source import CHUNK
from autocompress.errors import UserError

REPLACEMENT = "\ufffd"
"""What stands in lossily decoded text for bytes that are no UTF-8."""
_NO_SEPARATOR = "\x1f"


def shown(value: object) -> str:
    """A value as it is quoted in an error."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def bad_cell(path: str, column: str, row: int, value: object, allowed: str) -> UserError:
    """The error for the cell of the file's `row` (1 is its first row of data)."""
    return UserError(f"data.path: {path}: column {column!r} holds {shown(value)} in row {row:,}: {allowed}")


def explain(
    error: Exception, path: str, texts: pl.LazyFrame, types: Mapping[str, pl.DataType], separator: str | None
) -> UserError:
    """What is wrong with the file at `path`, which `error` refused.

    `texts` has its columns (those of `types` at least) as text, undecodable bytes replaced; `separator` parts its
    cells, None where lines are JSON or there are no lines.
    """
    reason = str(error).splitlines()[0]
    found: UserError | None = None
    try:
        if "utf-8" in reason or "utf8" in reason:
            found = _undecodable(path, texts)
        elif "more fields" in reason and separator is not None:
            found = _too_wide(path, separator, len(texts.collect_schema()))
        else:
            found = _misfit(path, texts, types)
    except pl.exceptions.PolarsError:
        found = None
    if found is None and separator is None and not path.endswith((".parquet", ".pq")):
        found = _no_json(path)
    return found or UserError(f"data.path: {path} cannot be read: {reason}")


def first_misfit(text: pl.Series, dtype: pl.DataType) -> int | None:
    """Position of the first cell that is no `dtype`; None where all are."""
    frame = text.to_frame("cell")
    wrong = frame.select(pl.col("cell").is_not_null() & from_text(pl.col("cell"), dtype).is_null()).to_series()
    return wrong.arg_max() if wrong.any() else None


def _misfit(path: str, texts: pl.LazyFrame, types: Mapping[str, pl.DataType]) -> UserError | None:
    numbers = {name: dtype for name, dtype in types.items() if dtype.is_numeric()}
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


def _undecodable(path: str, texts: pl.LazyFrame) -> UserError | None:
    before = 0
    for frame in texts.collect_batches(chunk_size=CHUNK, maintain_order=True):
        wrong = frame.select(pl.any_horizontal(pl.all().str.contains(REPLACEMENT, literal=True))).to_series()
        if wrong.any():
            return UserError(f"data.path: {path} is not UTF-8 in row {before + (wrong.arg_max() or 0) + 1:,}")
        before += frame.height
    return None


def _too_wide(path: str, separator: str, width: int) -> UserError | None:
    cells = pl.col("line").str.replace_all(r'"[^"]*"', "").str.count_matches(separator, literal=True) + 1
    found = _first_line(path, cells > width)
    if found is None:
        return None
    row, line = found
    return UserError(f"data.path: {path} has more than {width} cells in line {row:,}: {shown(line)}")


def _no_json(path: str) -> UserError | None:
    found = _first_line(path, pl.col("line").str.json_path_match("$").is_null() & (pl.col("line") != ""))
    return (
        None if found is None else UserError(f"data.path: {path} has no JSON in line {found[0]:,}: {shown(found[1])}")
    )


def _first_line(path: str, wrong: pl.Expr) -> tuple[int, str] | None:
    """Number (1 is the file's first line) and text of the first line for which `wrong` holds."""
    if not Path(path).is_file():
        return None
    lines = pl.scan_csv(
        path, has_header=False, schema={"line": pl.String()}, separator=_NO_SEPARATOR, quote_char=None,
        encoding="utf8-lossy",
    )  # fmt: skip
    found = lines.with_row_index("row", offset=1).filter(wrong.fill_null(False)).head(1).collect()
    return (found["row"][0], found["line"][0]) if found.height else None
