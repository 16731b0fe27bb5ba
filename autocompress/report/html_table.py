"""The table of front.html: a row per file that opens to every number and to the plan."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from autocompress.report import wording
from autocompress.report.contract import FrontFile, MeasuredFile, MetricValue, Point
from autocompress.report.reading import LATENCY_BATCH, by_size, remarks, shown, splits, tasks


@dataclass(frozen=True)
class _Cell:
    """One cell: its HTML, and what a click on the header sorts by (a number, or text in lower case)."""

    html: str
    key: str
    numeric: bool = True


def front_table(front: FrontFile) -> str:
    """The whole `<table>`: the teacher, the landmarks, then the points from the largest to the smallest."""
    files = [front.teacher, *front.landmarks, *by_size(front)]
    columns = [title for title, _ in _cells(front, front.teacher)]
    head = "".join(f'<th scope="col" aria-sort="none"><button type="button">{title}</button></th>' for title in columns)
    bodies = "\n".join(_body(front, file, number, len(columns) + 1) for number, file in enumerate(files))
    return f'<table id="files">\n<thead><tr>{head}<th scope="col">more</th></tr></thead>\n{bodies}\n</table>'


def artefact_link(artefact: str, text: str) -> str:
    """A link to an artefact's folder; the path is quoted, so it can only ever be relative or absolute, no scheme."""
    return f'<a href="{escape(quote(artefact.rstrip("/")))}/">{escape(text)}</a>'


def _body(front: FrontFile, file: MeasuredFile, number: int, width: int) -> str:
    cells = "".join(
        f'<td{" class=number" if cell.numeric else ""} data-key="{escape(cell.key)}">{cell.html}</td>'
        for _, cell in _cells(front, file)
    )
    offer = "plan, numbers" if isinstance(file, Point) else "numbers"
    more = f'<button type="button" class="more" aria-expanded="false" aria-controls="more-{number}">{offer}</button>'
    kind = "point" if isinstance(file, Point) else "landmark"
    return (
        f'<tbody class="{kind}"><tr>{cells}<td class="more">{artefact_link(file.artefact, "folder")}{more}</td></tr>\n'
        f'<tr id="more-{number}" class="detail" hidden><td colspan="{width}">{_details(file)}</td></tr></tbody>'
    )


def _cells(front: FrontFile, file: MeasuredFile) -> Iterator[tuple[str, _Cell]]:
    split = splits(front)[0]
    name = f"trial {file.trial}" if isinstance(file, Point) else file.name
    order = f"{file.trial:09d}" if isinstance(file, Point) else f"~{name.lower()}"
    note = "".join(f'<span class="breaks">{escape(remark)}</span>' for remark in remarks(file))
    words = f"<span class=words>{escape(file.words)}</span>"
    yield "file", _Cell(f"<b>{escape(name)}</b>{words}{note}", order, numeric=False)
    yield "size", _Cell(wording.size(file.model_bytes), str(file.model_bytes))
    yield "ratio", _Cell(wording.times(file.compression_ratio), repr(file.compression_ratio))
    for task in tasks(front):
        value = shown(front, file, task, split)
        metric = wording.metric_title(front.metric)
        text = wording.quality(value.value)
        if file is not front.teacher:
            text += f" <i>{wording.change(value.change)}</i>"
        if value.low is not None and value.high is not None and file is not front.teacher:
            text += f"<small>{wording.change(value.low)} to {wording.change(value.high)}</small>"
        yield f"{escape(task)} {metric}", _Cell(text, repr(value.value))
    latency, ratio = file.latency_ms.get(LATENCY_BATCH), file.speedup.get(LATENCY_BATCH)
    none = _Cell("", "")
    yield f"ms at {LATENCY_BATCH}", _Cell(wording.milliseconds(latency.p50), repr(latency.p50)) if latency else none
    yield "speed-up", _Cell(wording.times(ratio), repr(ratio)) if ratio else none


def _details(file: MeasuredFile) -> str:
    facts = [
        ("sha256 of model.onnx", f"<code>{escape(file.sha256)}</code>"),
        ("bytes", f"{file.model_bytes:,} model, {file.bundle_bytes:,} bundle"),
        ("artefact", artefact_link(file.artefact, file.artefact)),
    ]
    if file.parity is not None:
        facts.append(("parity with torch", f"largest logit difference {file.parity:.2g}"))
    if isinstance(file, Point) and file.trained_parameters is not None and file.training_seconds is not None:
        facts.append(
            ("recovery", f"{file.trained_parameters:,} numbers trained in {wording.duration(file.training_seconds)}")
        )
    listed = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in facts)
    plan = ""
    if isinstance(file, Point):
        plan = f"<div><h3>Plan</h3><pre>{escape(json.dumps(file.plan, indent=2, ensure_ascii=False))}</pre></div>"
    return (
        f"<dl>{listed}</dl><div class=columns><div>{_quality_table(file)}</div>"
        f"<div>{_latency_table(file)}</div>{plan}</div>"
    )


def _quality_table(file: MeasuredFile) -> str:
    rows = "".join(
        f"<tr><td>{escape(task)}</td><td>{escape(wording.metric_title(metric))}</td>{_metric_cells(value)}</tr>"
        for task, metrics in file.quality.items()
        for metric, value in metrics.items()
    )
    heads = "".join(f"<th>{name}</th>" for name in ("task", "metric", "valid", "test", "95 %", "drop", "95 %"))
    return f"<h3>Quality</h3><table class=small><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _metric_cells(value: MetricValue) -> str:
    cells = (
        wording.quality(value.valid),
        "" if value.test is None else wording.quality(value.test),
        "" if value.test_ci95 is None else " to ".join(map(wording.quality, value.test_ci95)),
        "" if value.test_drop is None else wording.change(value.test_drop),
        "" if value.test_drop_ci95 is None else " to ".join(map(wording.change, value.test_drop_ci95)),
    )
    return "".join(f"<td class=number>{cell}</td>" for cell in cells)


def _latency_table(file: MeasuredFile) -> str:
    rows = "".join(
        f"<tr><td class=number>{escape(batch)}</td>"
        + "".join(
            f"<td class=number>{'' if value is None else wording.milliseconds(value)}</td>"
            for value in (latency.p50, latency.p95, latency.p99)
        )
        + f"<td class=number>{wording.times(file.speedup[batch]) if batch in file.speedup else ''}</td></tr>"
        for batch, latency in file.latency_ms.items()
    )
    heads = "".join(f"<th>{name}</th>" for name in ("batch", "p50 ms", "p95 ms", "p99 ms", "speed-up"))
    return f"<h3>Latency</h3><table class=small><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
