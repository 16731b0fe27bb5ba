"""The section of front.html that says what mattered: parameters of the search, fields and layers of the teacher."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape

from autocompress.report.contract import FrontFile

MOST = 12
"""Lines of a table; the largest come first."""
GONE = "0"

Numbers = Mapping[str, Mapping[str, float]]


def mattered_section(front: FrontFile) -> str:
    """The section, or nothing where the study has not ended."""
    found = front.mattered
    if found is None:
        return ""
    tables = [
        _table("parameter", found.parameters, lambda name: f"for {name}", lambda value: f"{100 * value:.0f} %"),
        _table("field", found.fields, _bits, lambda value: f"{value:.3f}"),
        _table("layer", found.layers, _bits, lambda value: f"{value:.3f}"),
    ]
    shown = "".join(f"<div class=scroll-x>{table}</div>" for table in tables if table)
    return (
        '<section aria-label="what mattered">\n<h2>What mattered</h2>\n'
        '<p class="note">Parameters: their share in what moved each objective (PED-ANOVA). Fields and layers: how far '
        "the teacher's logits move (root mean square) where that part alone is stored in fewer bits, or is gone.</p>\n"
        f"<div class=columns>{shown}</div>\n</section>"
    )


def _table(title: str, numbers: Numbers, heading: Callable[[str], str], text: Callable[[float], str]) -> str:
    if not numbers:
        return ""
    columns = list(dict.fromkeys(column for row in numbers.values() for column in row))
    order = sorted(numbers, key=lambda name: -max(numbers[name].values()))
    rows = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(f"<td class=number>{text(numbers[name][c]) if c in numbers[name] else ''}</td>" for c in columns)
        + "</tr>"
        for name in order[:MOST]
    )
    left = len(order) - MOST
    more = f'<p class="note">and {left} more, see front.json</p>' if left > 0 else ""
    heads = "".join(f"<th>{escape(heading(column))}</th>" for column in columns)
    return f"<table class=small><thead><tr><th>{title}</th>{heads}</tr></thead><tbody>{rows}</tbody></table>{more}"


def _bits(column: str) -> str:
    return "gone" if column == GONE else f"{column} bit"
