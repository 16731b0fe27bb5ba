"""One file as a lazy frame: Parquet, delimited text or JSON lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

Format = Literal["parquet", "text", "json"]
SAMPLE = 100_000
"""Rows from which types and meanings are inferred."""
MISSING_WORDS = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "\\N", "<NA>", "#N/A")
"""Cells of delimited text that mean that there is no value."""
Types = dict[str, pl.DataType]


@dataclass(frozen=True)
class Files:
    """Files of one format, in the order in which they are read. `separator`, `header` and `missing` are of text alone.

    `missing` are words, beside `MISSING_WORDS`, that mean that there is no value.
    """

    paths: tuple[str, ...]
    format: Format
    separator: str = ","
    header: bool = True
    missing: tuple[str, ...] = ()


def scan(files: Files, path: str, types: Mapping[str, pl.DataType] | None = None, lossy: bool = False) -> pl.LazyFrame:
    """One of the files: columns `types` in these types; by default all, text as text, JSON and Parquet as they are.

    A folder named `column=value` on the way to the file is a column, too, where the file has none of that name. With
    `lossy`, bytes that are no UTF-8 are replaced.
    """
    if files.format == "json":
        inside = None if types is None else {name: types[name] for name in types if name not in partition(path)}
        return _with_partition(pl.scan_ndjson(path, schema=inside, infer_schema_length=SAMPLE), path, types, pl.Int64())
    if files.format == "parquet":
        return _with_partition(pl.scan_parquet(path, hive_partitioning=False), path, types, pl.Int64())
    rows = pl.scan_csv(path, separator=files.separator, has_header=files.header, infer_schema=False)
    names = rows.collect_schema().names()
    if files.header:
        stripped = [name.strip() for name in names]
        known = dict(zip(names, stripped if len(set(stripped)) == len(names) else names, strict=True))
    else:
        known = {name: name for name in (f"column_{number}" for number in range(1, len(names) + 1))}
    text = pl.String()
    rows = pl.scan_csv(
        path,
        separator=files.separator,
        has_header=files.header,
        schema={name: text if types is None else types.get(column, text) for name, column in known.items()},
        null_values=[*MISSING_WORDS, *files.missing],
        encoding="utf8-lossy" if lossy else "utf8",
    )
    return _with_partition(rows.rename(known), path, types, text)


def partition(path: str) -> dict[str, str]:
    """Columns that the folders of a path name (`day=3/part.parquet`), and their values."""
    return dict(re.findall(r"(?<=/)(\w+)=([^/]+)(?=/)", f"/{path}"))


def _with_partition(
    rows: pl.LazyFrame, path: str, types: Mapping[str, pl.DataType] | None, whole: pl.DataType
) -> pl.LazyFrame:
    """With the columns of the path; their values are text, or `whole` where they are whole numbers."""
    named = partition(path)
    if named:
        there = rows.collect_schema().names()
        rows = rows.with_columns(
            pl.lit(value).cast(whole if re.fullmatch(r"-?(0|[1-9]\d*)", value) else pl.String()).alias(name)
            for name, value in named.items()
            if name not in there
        )
    return rows if types is None else rows.select(pl.col(name).cast(dtype) for name, dtype in types.items())
