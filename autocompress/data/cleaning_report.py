"""What cleaning found, as a person reads it on the console."""

from __future__ import annotations

import textwrap

from autocompress.data.cleaning import ALMOST, CleaningReport

WIDTH, LINES = 80, 25
REST = "see cleaning.json"


def report_lines(report: CleaningReport) -> list[str]:
    """At most `LINES` lines of at most `WIDTH` characters: dropped rows, dropped inputs, warnings, in this order.

    An input that a model would miss is named with the key that keeps it. What does not fit is counted.
    """
    sizes = report.split
    lines = [f"rows: {sizes.train:,} train, {sizes.valid:,} validation, {sizes.test:,} test of {report.rows.rows:,}"]
    lines += _row_lines(report)
    dropped = [each for each in report.columns if each.dropped is not None]
    if dropped:
        kept = f"cleaning.keep=[{dropped[0].name}] keeps that one"
        lines.append(f"dropped {len(dropped)} of {len(report.columns)} inputs ({kept}):")
    findings = [_wrapped(f"  {each.name}: {each.dropped}") for each in dropped]
    warnings = [(each.name, text) for each in report.columns for text in each.warnings]
    warnings.sort(key=lambda warning: warning[1].startswith(ALMOST))
    findings += [_wrapped(f"warning: {name}: {text}") for name, text in warnings]
    for number, finding in enumerate(findings):
        # the last line is kept for what is left, unless nothing is
        last = number == len(findings) - 1
        if len(lines) + len(finding) > LINES - (0 if last else 1):
            return [*lines, f"and {len(findings) - number} more: {REST}"]
        lines += finding
    return lines


def _row_lines(report: CleaningReport) -> list[str]:
    rows = report.rows
    lines: list[str] = []
    if rows.unknown_labels:
        lines.append(f"dropped {rows.unknown_labels:,} rows without a label")
    if rows.duplicates_dropped:
        lines.append(f"dropped {rows.duplicates_dropped:,} copies of other rows (cleaning.duplicates=keep keeps them)")
    elif rows.duplicates:
        lines.append(f"warning: {rows.duplicates:,} rows are copies of others (cleaning.duplicates=drop)")
    if rows.thinned:
        lines.append(f"left out {rows.thinned:,} training rows without a positive label (cleaning.negatives)")
    left = report.split.none - rows.unknown_labels - rows.duplicates_dropped - rows.thinned
    if left > 0:
        lines.append(f"left out {left:,} rows that are in no split")
    return lines


def _wrapped(text: str) -> list[str]:
    lines = textwrap.wrap(text, WIDTH, subsequent_indent="    ", break_on_hyphens=False)
    return lines if len(lines) < 4 else [*lines[:2], f"    ...: {REST}"]
