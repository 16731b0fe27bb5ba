"""How a delimited text file is written: what separates its cells, and whether its first row names the columns."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections import Counter
from typing import IO

SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
HEAD = 2**18
"""Bytes that are looked at."""
LINES = 100
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
GZIP = b"\x1f\x8b"


def first_bytes(stream: IO[bytes], size: int) -> bytes:
    """At most `size` bytes from the start of a file, unpacked where it is gzip; `OSError` where it cannot be read."""
    start = stream.read(2)
    if start != GZIP:
        return start[:size] + stream.read(max(0, size - 2))
    stream.seek(0)
    with gzip.GzipFile(fileobj=stream) as plain:
        return plain.read(size)


def sniff(head: bytes, separator: str | None = None) -> tuple[str, list[list[str]]]:
    """The separator under which most lines of a file's first `HEAD` bytes have equally many cells, and those cells.

    `separator` where it is known already, a comma where none parts anything. A quoted cell is one, whatever it holds.
    """
    lines = head.decode("utf-8-sig", errors="replace").splitlines(keepends=True)
    if len(head) == HEAD and len(lines) > 1:
        lines.pop()
    text = "".join(lines[:LINES])
    best, found = (0.0, 1), (separator or ",", cells(text, separator or ","))
    for each in () if separator else SEPARATORS.values():
        rows = cells(text, each)
        ((width, count),) = Counter(len(row) for row in rows).most_common(1) or [(1, 0)]
        if width > 1 and (count / len(rows), width) > best:
            best, found = (count / len(rows), width), (each, rows)
    return found


def cells(text: str, separator: str) -> list[list[str]]:
    """The cells of every line that is not empty."""
    return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row]


def has_header(rows: list[list[str]]) -> bool:
    """Whether the first row names columns: no cell is a number or stands again below it, and one at most is empty."""
    if not rows:
        return False
    first, below = rows[0], rows[1:]
    if any(_NUMBER.fullmatch(cell) for cell in first) or sum(not cell.strip() for cell in first) > 1:
        return False
    return not any(cell.strip() and index < len(row) and row[index] == cell for row in below
                   for index, cell in enumerate(first))  # fmt: skip
