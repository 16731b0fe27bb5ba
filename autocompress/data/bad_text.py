"""What is wrong with the lines of a delimited text file, read as bytes; slowly, after Polars refused it or to explain.

Cells are parted as by Polars: a line break in quotes ends no row.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import polars as pl

from autocompress.data.object_store import S3, open_stored
from autocompress.data.sniff import GZIP

_NO_SEPARATOR = "\x1f"
ESCAPED = re.compile("[\udc80-\udcff]")
"""What `text_of` gives for a byte that is no UTF-8."""


@contextmanager
def text_of(path: str) -> Iterator[io.TextIOWrapper]:
    """The text of a file, local or stored, plain or gzip; bytes that are no UTF-8 are `ESCAPED`."""
    with open_stored(path) if path.startswith(S3) else Path(path).open("rb") as stream:
        packed = stream.read(2) == GZIP
        stream.seek(0)
        plain = gzip.GzipFile(fileobj=stream) if packed else stream
        yield io.TextIOWrapper(plain, encoding="utf-8-sig", errors="surrogateescape", newline="")


def readable(text: str) -> str:
    """The text with a mark in place of every byte that is no UTF-8."""
    return ESCAPED.sub("\ufffd", text)


def first_undecodable(path: str, separator: str) -> tuple[int, int, str] | None:
    """Row (0 is the first of the file) and cell (from 0) of the first byte that is no UTF-8, and the cell's text."""
    for row, (_, cells) in enumerate(_rows(path, separator)):
        for index, cell in enumerate(cells):
            if not cell.isascii() and ESCAPED.search(cell):
                return row, index, readable(cell)
    return None


def first_wider(path: str, separator: str) -> tuple[int, int, str] | None:
    """Cells of the first row; line in which the first row with more of them begins, and its text."""
    width = None
    for line, cells in _rows(path, separator):
        width = len(cells) if width is None else width
        if len(cells) > width:
            return width, line, readable(separator.join(cells))
    return None


def shorter_rows(path: str, separator: str, rows: int) -> tuple[int, int]:
    """How many of the first `rows` rows have fewer cells than the very first, but some, and the first one's line."""
    # nearly every file has none, and Polars counts cells fast; a line break in quotes only makes it look twice
    text = pl.scan_csv(
        path, has_header=False, schema={"line": pl.String()}, separator=_NO_SEPARATOR, quote_char=None,
        encoding="utf8-lossy",
    ).head(rows).select(cells=pl.col("line").str.count_matches(separator, literal=True)).collect()["cells"]  # fmt: skip
    if not (text < text[0]).any():
        return 0, 0
    lines: list[int] = []
    width = 0
    for line, cells in islice(_rows(path, separator), rows):
        width = width or len(cells)
        if 0 < len(cells) < width:
            lines.append(line)
    return len(lines), lines[0] if lines else 0


def _rows(path: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Every row of a file: the line in which it begins (1 is the first), and its cells."""
    with text_of(path) as stream:
        reader = csv.reader(stream, delimiter=separator)
        line = 1
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
