"""The front in one paragraph of plain words."""

from __future__ import annotations

from autocompress.report import wording
from autocompress.report.contract import FrontFile, Point
from autocompress.report.reading import (
    LATENCY_BATCH,
    Split,
    has_bounds,
    shown,
    smallest_within,
    splits,
    tasks,
    worst_change,
)

DROPS = (0.001, 0.003)


def summary(front: FrontFile) -> str:
    """What the teacher weighs and scores, and the smallest file of the front within each of `DROPS`."""
    split = splits(front)[0]
    sentences = [_teacher(front, split), _count(front)]
    if front.points:
        sentences += _smallest(front, split)
    return " ".join(sentences)


def best_possible(front: FrontFile) -> list[tuple[str, str]]:
    """For each task whose Bayes-optimal AUC is known: the task, and that AUC beside the teacher's, on its split."""
    lines, test = [], front.state == "ended"
    for task, best in (front.data.bayes_auc or {}).items():
        teacher = front.teacher.quality.get(task, {}).get("auc")
        mine = None if teacher is None else teacher.test if test else teacher.valid
        reached = "" if mine is None else f"; the teacher reaches {wording.quality(mine)}"
        lines.append((task, f"{wording.quality(best)} on the {'test' if test else 'validation'} split{reached}"))
    return lines


def _teacher(front: FrontFile, split: Split) -> str:
    scores = " and ".join(
        f"{wording.metric_title(front.metric)} "
        f"{wording.quality(shown(front, front.teacher, task, split).value)} on {task}"
        for task in tasks(front)
    )
    name = "test" if split == "test" else "validation"
    return f"The teacher is a file of {wording.size(front.teacher.model_bytes)} with {scores} ({name} split)."


def _count(front: FrontFile) -> str:
    if not front.points:
        return "There is no compressed file yet."
    files = "one compressed file" if len(front.points) == 1 else f"{len(front.points)} compressed files"
    done = front.trials.complete + front.trials.stopped + front.trials.failed
    return f"After {done} trials in {wording.duration(front.wall_seconds)} the front holds {files}."


def _smallest(front: FrontFile, split: Split) -> list[str]:
    """The smallest file within each drop; one that serves both is named once, with the stricter drop."""
    answers: list[str] = []
    named: Point | None = None
    for drop in DROPS:
        point = smallest_within(front, drop, split)
        limit = f"at most {f'{drop:.3f}'.lstrip('0')} {wording.metric_title(front.metric)}"
        if point is None:
            answers.append(f"no file loses {limit}")
        elif point is not named:
            answers.append(f"the smallest that loses {limit} is {_described(point)}")
        named = point
    sentences = [f"{_judged(front, split)}, {'; '.join(answers)}."]
    if named is None:
        best = max(front.points, key=lambda point: worst_change(front, point, split))
        sentences.append(f"The closest to the teacher is {_described(best)}.")
    return sentences


def _judged(front: FrontFile, split: Split) -> str:
    bound = "at the 95 % bound" if has_bounds(front, split) else "on validation and without an interval"
    if split == "test" and not has_bounds(front, split):
        bound = "without an interval"
    return f"Judged {bound}" if len(tasks(front)) == 1 else f"Judged by the worst task, {bound}"


def _described(point: Point) -> str:
    faster = f", {wording.times(point.speedup[LATENCY_BATCH])} as fast" if LATENCY_BATCH in point.speedup else ""
    smaller = wording.times(point.compression_ratio)
    return f"trial {point.trial}: {wording.size(point.model_bytes)}, {smaller} smaller{faster} ({point.words})"
