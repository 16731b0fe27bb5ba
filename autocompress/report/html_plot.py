"""The data behind the plots of front.html: plain Plotly traces and axes, coloured by the page itself."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from autocompress.report import wording
from autocompress.report.contract import FrontFile, MeasuredFile, Point
from autocompress.report.reading import LATENCY_BATCH, Shown, Split, shown, splits, tasks

Trace = dict[str, Any]


def plots(front: FrontFile) -> dict[str, Any]:
    """Everything the page's script draws.

    `scatter` maps `<split>` and then `<task>` to {traces, y range, the label of y, names of files out of range};
    `x` is {range (log10 KB), ticks}; `hypervolume` is a list of [seconds, value]; `bandit` has an entry per arm.
    """
    return {
        "splits": list(splits(front)),
        "tasks": list(tasks(front)),
        "x": _size_axis(front),
        "limit": -front.constraints["auc_drop"] if "auc_drop" in front.constraints else None,
        "scatter": {split: {task: scatter(front, task, split) for task in tasks(front)} for split in splits(front)},
        "hypervolume": [[step.seconds, step.hypervolume] for step in front.hypervolume_history],
        "bandit": _beliefs(front),
    }


def _beliefs(front: FrontFile) -> list[dict[str, Any]]:
    """Per arm of a bandit, what it was believed to be worth, trial by trial, and at which trials it was chosen."""
    arms = list(dict.fromkeys(name for belief in front.bandit for name in (*belief.values, belief.arm)))
    return [
        {
            "name": escape(arm),
            "x": [belief.trial for belief in front.bandit if arm in belief.values],
            "y": [belief.values[arm] for belief in front.bandit if arm in belief.values],
            "chosen_x": [belief.trial for belief in front.bandit if belief.arm == arm],
            "chosen_y": [belief.values.get(arm, 0.0) for belief in front.bandit if belief.arm == arm],
        }
        for arm in arms
    ]


def scatter(front: FrontFile, task: str, split: Split) -> dict[str, Any]:
    """Size against the change from the teacher for one task on one split."""
    low, high = _quality_range(front, task, split)
    landmarks = [(landmark, shown(front, landmark, task, split)) for landmark in front.landmarks]
    metric = wording.metric_title(front.metric)
    return {
        "y_range": [low, high],
        "y_title": f"{escape(task)}: {metric} change against the teacher ({split})",
        "outside": [
            f"{landmark.name} ({wording.change(value.change)})"
            for landmark, value in landmarks
            if not low < value.change < high
        ],
        "traces": [
            _points(front, task, split),
            _marks("landmarks", "diamond", [(front, landmark, task, split) for landmark in front.landmarks]),
            _marks("teacher", "star", [(front, front.teacher, task, split)]),
        ],
    }


def _points(front: FrontFile, task: str, split: Split) -> Trace:
    values = [shown(front, point, task, split) for point in front.points]
    trace: Trace = {
        "role": "points",
        "name": "points of the front",
        "x": [point.model_bytes / 1000 for point in front.points],
        "y": [value.change for value in values],
        "speedup": [point.speedup.get(LATENCY_BATCH) for point in front.points],
        "trial": [point.trial for point in front.points],
        "feasible": [point.feasible for point in front.points],
        "text": [_hover(front, point, task, split) for point in front.points],
    }
    if any(value.low is not None for value in values):
        trace["above"] = [_gap(value.high, value.change) for value in values]
        trace["below"] = [_gap(value.change, value.low) for value in values]
    return trace


def _marks(role: str, symbol: str, files: list[tuple[FrontFile, MeasuredFile, str, Split]]) -> Trace:
    return {
        "role": role,
        "name": role,
        "symbol": symbol,
        "x": [file.model_bytes / 1000 for _, file, _, _ in files],
        "y": [shown(*file).change for file in files],
        "labels": [escape(file.name) for _, file, _, _ in files],
        "text": [_hover(*file) for file in files],
    }


def _hover(front: FrontFile, file: MeasuredFile, task: str, split: Split) -> str:
    """A few short lines; everything from outside is escaped, since Plotly reads a small HTML in labels."""
    value = shown(front, file, task, split)
    title = f"trial {file.trial}" if isinstance(file, Point) else file.name
    lines = [f"<b>{escape(title)}</b>", *(_wrapped(escape(file.words)))]
    lines.append(f"{wording.size(file.model_bytes)}, {wording.times(file.compression_ratio)} smaller")
    metric = wording.metric_title(front.metric)
    against = f"({wording.change(value.change)}{_interval(value)})"
    lines.append(f"{escape(task)} {metric} {wording.quality(value.value)} {against}")
    if LATENCY_BATCH in file.latency_ms and LATENCY_BATCH in file.speedup:
        latency = wording.milliseconds(file.latency_ms[LATENCY_BATCH].p50)
        lines.append(f"batch {LATENCY_BATCH}: {latency} ms, {wording.times(file.speedup[LATENCY_BATCH])} as fast")
    return "<br>".join(lines)


def _interval(value: Shown) -> str:
    if value.low is None or value.high is None:
        return ""
    return f", 95 % {wording.change(value.low)} to {wording.change(value.high)}"


def _wrapped(text: str, width: int = 48) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _gap(high: float | None, low: float | None) -> float:
    return 0.0 if high is None or low is None else max(0.0, high - low)


def _quality_range(front: FrontFile, task: str, split: Split) -> tuple[float, float]:
    """Fits the front and the teacher; a landmark far below must not flatten what the page is about."""
    spread = [0.0]
    for point in front.points:
        value = shown(front, point, task, split)
        spread += [bound for bound in (value.change, value.low, value.high) if bound is not None]
    if "auc_drop" in front.constraints and -front.constraints["auc_drop"] > 3 * min(spread):
        spread.append(-front.constraints["auc_drop"])
    height = max(max(spread) - min(spread), 0.001)
    near = [shown(front, landmark, task, split).change for landmark in front.landmarks]
    spread += [change for change in near if min(spread) - height < change < max(spread) + height]
    margin = 0.12 * max(max(spread) - min(spread), 0.001)
    return min(spread) - margin, max(spread) + margin


def _size_axis(front: FrontFile) -> dict[str, Any]:
    sizes = [file.model_bytes / 1000 for file in (front.teacher, *front.landmarks, *front.points)]
    low, high = math.log10(min(sizes)), math.log10(max(sizes))
    margin = max(0.08 * (high - low), 0.1)
    # The teacher's label hangs to the left of its star, so the right side needs no more room than the left.
    decades = range(math.floor(low - margin), math.ceil(high + margin) + 1)
    ticks = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
    if high - low > 2.5:
        ticks = [tick for tick in ticks if not math.log10(tick) % 1]
    return {
        "range": [low - margin, high + margin],
        "tickvals": ticks,
        "ticktext": [wording.size(tick * 1000) for tick in ticks],
    }
