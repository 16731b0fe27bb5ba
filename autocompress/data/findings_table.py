"""What was inferred of a log's columns, as a person reads it on the console."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from autocompress.data.infer import Finding

WIDTH = 80
_HEAD = ("column", "type", "distinct", "missing", "role", "why")
_WIDEST = (24, 12, 9, 7, 11)


def table_text(findings: Iterable[Finding]) -> str:
    """A line per column and more where it does not fit, none longer than `WIDTH`."""
    rows = [
        (each.column, each.type, f"{each.distinct:,}", _share(each.missing), each.role, each.why) for each in findings
    ]
    widths = [
        min(widest, max(len(row[index]) for row in (_HEAD, *rows))) for index, widest in enumerate(_WIDEST)
    ]  # fmt: skip
    return "\n".join(line.rstrip() for row in (_HEAD, *rows) for line in _lines(row, widths))


def _lines(row: tuple[str, ...], widths: list[int]) -> Iterable[str]:
    """Cells wrapped within their columns, numbers to the right."""
    last = WIDTH - sum(widths) - 2 * len(widths)
    wrapped = [textwrap.wrap(cell, width) or [""] for cell, width in zip(row, (*widths, last), strict=True)]
    for number in range(max(map(len, wrapped))):
        cells = [lines[number] if number < len(lines) else "" for lines in wrapped]
        yield "  ".join(
            cell.rjust(width) if index in (2, 3) else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(cells, (*widths, last), strict=True))
        )


def _share(share: float) -> str:
    return "" if not share else "<0.1%" if share < 0.001 else f"{share:.1%}"
