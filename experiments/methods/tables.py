"""Writes the tables of this folder's README from what is stored: python experiments/methods/tables.py"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
README, STORED, MARK = HERE / "README.md", HERE / "results.json", "<!-- tables -->"
MEASURES = {"gowalla": "recall@20 over the whole catalogue"}


def strength(transforms: list[dict[str, Any]]) -> str:
    """The knobs that are not always the same: "keep 0.5"."""
    passed = ("kind", "least_rows")
    knobs = [f"{key} {value}" for each in transforms for key, value in each.items() if key not in passed]
    return ", ".join(knobs)


def change(cell: dict[str, Any]) -> str:
    """With its interval."""
    low, high = cell["change_ci95"]
    return f"{cell['change']:+.4f} ({low:+.4f} to {high:+.4f})"


def largest(cell: dict[str, Any], teacher: dict[str, Any]) -> str:
    """How many times smaller the largest table is, where it is stored apart and was looked at by itself."""
    mine = cell.get("bytes_of_largest_table")
    if mine is None:
        return ""
    share = max(teacher["rows"].values()) / sum(teacher["rows"].values())
    return f"; the largest {teacher['table_bytes'] * share / mine:.1f}x"


def table(name: str, entry: dict[str, Any]) -> list[str]:
    """Of one log."""
    teacher = entry["teacher"]
    rows = max(entry["teacher"]["rows"].values())
    lines = [
        f"### {name}{' (synthetic)' if entry['synthetic'] else ''}",
        "",
        f"Teacher: {teacher['bytes'] / 1e3:,.0f} KB ({teacher['table_bytes'] / 1e3:,.0f} of tables, the largest of "
        f"{rows:,} rows), {MEASURES.get(name, 'click AUC')} {teacher['quality']:.4f}. Faster: at batch 1 / 64 / 256.",
        "",
        "| method | strength | smaller | tables | faster | at once | recovered | of these bytes from scratch |",
        "|---|---|---:|---:|---|---|---|---:|",
    ]
    for method, cells in entry["methods"].items():
        for cell in sorted(cells, key=lambda cell: -cell["bytes"]):
            faster = " / ".join(f"{cell['times_faster'][batch]:.1f}" for batch in ("1", "64", "256"))
            scratch = cell["from_scratch_of_these_bytes"]
            smaller = f"{teacher['bytes'] / cell['bytes']:.1f}x"
            tables = f"{teacher['table_bytes'] / cell['table_bytes']:.1f}x{largest(cell, teacher)}"
            of_scratch = "" if scratch is None else format(scratch["change"], "+.4f")
            lines.append(
                f"| {method} | {strength(cell['transforms'])} | {smaller} | {tables} | {faster} "
                f"| {change(cell['at_once'])} | {change(cell['recovered'])} | {of_scratch} |"
            )
    stock = entry["quantize_dynamic"]
    faster = " / ".join(f"{stock['times_faster'][batch]:.1f}" for batch in ("1", "64", "256"))
    lines.append(
        f"| *quantize_dynamic* | | {teacher['bytes'] / stock['bytes']:.1f}x | | {faster} | {change(stock)} | | |"
    )
    for each in entry["scratch"]:
        shape = ", ".join(f"{key} {value}" for key, value in each["shape"].items())
        smaller, tables = teacher["bytes"] / each["bytes"], teacher["table_bytes"] / each["table_bytes"]
        lines.append(f"| *from scratch* | {shape} | {smaller:.1f}x | {tables:.1f}x | | | {change(each)} | |")
    return [*lines, ""]


def main() -> None:
    """Everything between the two marks is written anew."""
    logs = json.loads(STORED.read_text())["logs"]
    before, _, after = README.read_text().split(MARK)
    lines = [line for name in ("kuairand", "gowalla", "simulator") if name in logs for line in table(name, logs[name])]
    README.write_text(before + MARK + "\n" + "\n".join(lines) + "\n" + MARK + after)


if __name__ == "__main__":
    main()
