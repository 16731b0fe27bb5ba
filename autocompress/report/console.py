"""The front at the end of a run, in 80 columns of plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console
from rich.text import Text

from autocompress.report import wording
from autocompress.report.contract import FrontFile, MeasuredFile, Point
from autocompress.report.reading import (
    LATENCY_BATCH,
    Split,
    by_size,
    remarks,
    shown,
    splits,
    tasks,
    worst_change,
)
from autocompress.report.summary import best_possible

# Widths that add up to 79: a label, two tasks (value and change), the worst task's change where there are more,
# then size, ratio and latency.
_LABEL, _TASK, _VALUE, _CHANGE, _WORST = 9, 16, 7, 8, 8
_SIZE, _RATIO, _LATENCY, _FASTER = 8, 7, 8, 7
_INDENT = "  "


def print_front(
    front: FrontFile,
    console: Console | None = None,
    *,
    folder: Path | None = None,
    commands: Mapping[str, str] | None = None,
) -> None:
    """Prints the front: warnings, a table of the points, the landmarks, then where the files are.

    `folder` is where `write_front` put the three files; `commands` maps a purpose in words to the exact command to
    type, each printed on one unbroken line. Without a console it goes to stdout, without colour where that is no
    terminal, and never narrower than 80 columns.
    """
    console = console or plain_console()
    for line in _lines(front):
        console.print(line, highlight=False, soft_wrap=True)
    for purpose, text in (*_places(folder), *(commands or {}).items()):
        console.print(Text.assemble((f"{purpose}: ", "bold"), text), highlight=False, soft_wrap=True)


def plain_console(*, stderr: bool = False) -> Console:
    """A console on stdout (or stderr); one that is no terminal is 80 columns wide at least, and without colour."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=max(80, console.width))


def _lines(front: FrontFile) -> Iterator[Text]:
    split = splits(front)[0]
    yield Text()
    yield from _heading(front)
    for warning in front.warnings:
        yield from _wrapped(warning, first="! ", style="yellow")
    yield Text()
    yield from _column_heads(front, split)
    for point in by_size(front):
        yield from _row(front, point, split)
    if not front.points:
        yield Text(f"{_INDENT}no compressed file yet", "dim")
    yield Text()
    yield Text("The teacher and the landmarks, measured in the same way", "bold")
    for file in (front.teacher, *front.landmarks):
        yield from _row(front, file, split)
    for task, text in best_possible(front):
        yield from _wrapped(f"Best possible AUC for {task}: {text}.")
    yield Text()


def _heading(front: FrontFile) -> Iterator[Text]:
    trials = front.trials
    marks = [front.state] + ["synthetic data"] * front.data.synthetic + ["test split reused"] * front.test_reused
    yield from _wrapped(f"{front.study} ({', '.join(marks)})", style="bold")
    counts = f"{trials.complete} trials complete, {trials.stopped} stopped early, {trials.failed} failed"
    yield from _wrapped(
        f"{counts}, in {wording.duration(front.wall_seconds)}; hypervolume {front.hypervolume:.4g}", style="dim"
    )


def _columns(front: FrontFile) -> tuple[tuple[str, ...], bool]:
    """The tasks that get a column of their own, and whether one more column is needed for the worst of them all."""
    return tasks(front)[:2], len(tasks(front)) > 2


def _column_heads(front: FrontFile, split: Split) -> Iterator[Text]:
    names, worst = _columns(front)
    above = below = " " * _LABEL
    for task in names:
        metric = _cut(wording.metric_title(front.metric).removeprefix("catalogue "), _VALUE)
        above += f"{_cut(task, _TASK - 2):>{_TASK}}"
        below += f"{metric:>{_TASK - _CHANGE}}{'change':>{_CHANGE}}"
    if worst:
        above, below = f"{above}{'worst':>{_WORST}}", f"{below}{f'of {len(tasks(front))}':>{_WORST}}"
    above += f"{'batch ' + LATENCY_BATCH:>{_SIZE + _RATIO + _LATENCY + _FASTER}}"
    below += f"{'KB':>{_SIZE}}{'ratio':>{_RATIO}}{'p50 ms':>{_LATENCY}}{'faster':>{_FASTER}}"
    name = "test split" if split == "test" else "validation split"
    yield Text(f"The front, largest file first ({name}; change from the teacher)", "bold")
    yield Text(above, "dim")
    yield Text(below, "dim")


def _row(front: FrontFile, file: MeasuredFile, split: Split) -> Iterator[Text]:
    """The numbers, then what was done on a line of its own: so that both fit, whatever the words."""
    names, worst = _columns(front)
    line = Text(f"{_label(front, file):<{_LABEL}}")
    for task in names:
        value = shown(front, file, task, split)
        change = "" if file is front.teacher else wording.change(value.change)
        line.append(f"{wording.quality(value.value):>{_TASK - _CHANGE}}", "bold")
        line.append(f"{change:>{_CHANGE}}")
    if worst:
        line.append(f"{wording.change(worst_change(front, file, split)):>{_WORST}}")
    line.append(f"{wording.kilobytes(file.model_bytes):>{_SIZE}}{wording.times(file.compression_ratio):>{_RATIO}}")
    latency, faster = file.latency_ms.get(LATENCY_BATCH), file.speedup.get(LATENCY_BATCH)
    line.append(f"{wording.milliseconds(latency.p50) if latency else '-':>{_LATENCY}}")
    line.append(f"{wording.times(faster) if faster else '-':>{_FASTER}}")
    yield line
    notes = remarks(file)
    named = file.words if isinstance(file, Point) or file is front.teacher else f"{file.name}: {file.words}"
    remarked = f"{named} ({', '.join(notes)})" if notes else named
    yield from _wrapped(remarked, first=_INDENT, style="red" if notes else "cyan")


def _label(front: FrontFile, file: MeasuredFile) -> str:
    if isinstance(file, Point):
        return f"trial {file.trial}" if file.trial < 1000 else f"#{file.trial}"
    return "teacher" if file is front.teacher else "landmark"


def _places(folder: Path | None) -> Iterator[tuple[str, str]]:
    if folder is not None:
        yield "front", str(folder / "front.html")
        yield "data", str(folder / "front.json")
        yield "table", str(folder / "front.csv")
        yield "files", f"{folder / 'artefacts'}/"


def _wrapped(text: str, *, first: str = "", style: str = "") -> Iterator[Text]:
    for line in textwrap.wrap(text, 79, initial_indent=first, subsequent_indent=" " * (len(first) + 2)):
        yield Text(line, style)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 2]}.."
