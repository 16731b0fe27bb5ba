"""The front as a table: one row per file, one column per number, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from autocompress.report.contract import FrontFile, MeasuredFile, MetricValue, Point
from autocompress.report.reading import every_file

Cell = str | int | float | bool | None


def front_rows(front: FrontFile) -> list[dict[str, Cell]]:
    """One row per file (teacher, landmarks, points), all with the same columns in the same order.

    Quality columns are `<task>.<metric>.valid|test|test_low|test_high|drop|drop_low|drop_high` (`low` and `high` bound
    the 95 % interval, `drop` is on the test split, positive where something is lost), latency columns
    `latency_ms.<batch>.p50|p95|p99`. None where a file has no such value.
    """
    rows = [dict(_cells(kind, file)) for kind, file in every_file(front)]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return [{column: row.get(column) for column in sorted(columns, key=_place)} for row in rows]


def front_csv(front: FrontFile) -> str:
    """`front_rows` as CSV text; an empty cell means no value."""
    rows = front_rows(front)
    text = io.StringIO()
    # The default line end, CR LF: with another one the writer would leave a CR inside a cell unquoted.
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _cells(kind: str, file: MeasuredFile) -> Iterator[tuple[str, Cell]]:
    point = file if isinstance(file, Point) else None
    yield "kind", kind
    yield "name", file.name
    yield "trial", point.trial if point else None
    yield "words", file.words
    yield "model_bytes", file.model_bytes
    yield "bundle_bytes", file.bundle_bytes
    yield "compression_ratio", file.compression_ratio
    for task, metrics in file.quality.items():
        for metric, value in metrics.items():
            for suffix, number in _metric_cells(value):
                yield f"{task}.{metric}.{suffix}", number
    for batch, latency in file.latency_ms.items():
        for quantile in ("p50", "p95", "p99"):
            yield f"latency_ms.{batch}.{quantile}", getattr(latency, quantile)
    for batch, ratio in file.speedup.items():
        yield f"speedup.{batch}", ratio
    yield "parity", file.parity
    yield "trained_parameters", point.trained_parameters if point else None
    yield "training_seconds", point.training_seconds if point else None
    yield "feasible", point.feasible if point else None
    yield "dominated_by", point.dominated_by if point else None
    yield "sha256", file.sha256
    yield "artefact", file.artefact


def _metric_cells(value: MetricValue) -> Iterator[tuple[str, Cell]]:
    low, high = value.test_ci95 or (None, None)
    drop_low, drop_high = value.test_drop_ci95 or (None, None)
    yield "valid", value.valid
    yield "test", value.test
    yield "test_low", low
    yield "test_high", high
    yield "drop", value.test_drop
    yield "drop_low", drop_low
    yield "drop_high", drop_high


_LAST = ("parity", "trained_parameters", "training_seconds", "feasible", "dominated_by", "sha256", "artefact")


def _place(column: str) -> int:
    """Keeps the fixed last columns last, even where only some files have a task or a batch size."""
    return _LAST.index(column) + 1 if column in _LAST else 0
