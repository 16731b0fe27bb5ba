"""What a front says: which split to show, the change from the teacher, the smallest file within a drop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from autocompress.measure.quality import drop
from autocompress.report.contract import FrontFile, MeasuredFile, MetricValue, Point

Split = Literal["valid", "test"]
LATENCY_BATCH = "256"


@dataclass(frozen=True)
class Shown:
    """One quality on one split: `value`, `change` from the teacher (a loss is negative), its 95 % bounds if known."""

    value: float
    change: float
    low: float | None = None
    high: float | None = None


def every_file(front: FrontFile) -> Iterator[tuple[Literal["teacher", "landmark", "point"], MeasuredFile]]:
    """The teacher, the landmarks, then the points, each with its kind."""
    yield "teacher", front.teacher
    for landmark in front.landmarks:
        yield "landmark", landmark
    for point in front.points:
        yield "point", point


def tasks(front: FrontFile) -> tuple[str, ...]:
    """The tasks, in the teacher's order."""
    return tuple(front.teacher.quality)


def splits(front: FrontFile) -> tuple[Split, ...]:
    """The splits that every file has values for, the one to show first in front."""
    opened = all(
        _main_value(front, file, task).test is not None for _, file in every_file(front) for task in tasks(front)
    )
    return ("test", "valid") if opened else ("valid",)


def shown(front: FrontFile, file: MeasuredFile, task: str, split: Split) -> Shown:
    """The main metric of `file` on `split`.

    On the test split the change is the measured paired one where the file has it. Raises KeyError for a task that the
    file does not have and ValueError for a test split that has not been opened.
    """
    mine, teacher = _main_value(front, file, task), _main_value(front, front.teacher, task)
    if split == "valid":
        return Shown(mine.valid, -drop(front.metric, teacher.valid, mine.valid))
    if mine.test is None or teacher.test is None:
        raise ValueError(f"{file.name} has no test value for {task}")
    change = -(drop(front.metric, teacher.test, mine.test) if mine.test_drop is None else mine.test_drop)
    if mine.test_drop_ci95 is None:
        return Shown(mine.test, change)
    return Shown(mine.test, change, -mine.test_drop_ci95[1], -mine.test_drop_ci95[0])


def worst_change(front: FrontFile, file: MeasuredFile, split: Split, *, bound: bool = False) -> float:
    """The worst task's change from the teacher; with `bound`, its lower 95 % bound where there is one."""
    values = [shown(front, file, task, split) for task in tasks(front)]
    return min(value.low if bound and value.low is not None else value.change for value in values)


def smallest_within(front: FrontFile, drop: float, split: Split) -> Point | None:
    """The smallest point whose worst task loses at most `drop`; judged by the 95 % bound where there is one."""
    within = [point for point in front.points if worst_change(front, point, split, bound=True) >= -drop]
    return min(within, key=lambda point: point.model_bytes, default=None)


def has_bounds(front: FrontFile, split: Split) -> bool:
    """Whether every point carries a 95 % interval of its change on this split."""
    return all(shown(front, point, task, split).low is not None for point in front.points for task in tasks(front))


def by_size(front: FrontFile) -> tuple[Point, ...]:
    """The points, the largest file first: the order in which quality is usually given up."""
    return tuple(sorted(front.points, key=lambda point: -point.model_bytes))


def remarks(file: MeasuredFile) -> tuple[str, ...]:
    """What speaks against a point, in a few words each."""
    if not isinstance(file, Point):
        return ()
    broken = () if file.feasible else ("breaks a constraint",)
    return broken if file.dominated_by is None else (*broken, f"dominated by {file.dominated_by}")


def _main_value(front: FrontFile, file: MeasuredFile, task: str) -> MetricValue:
    return file.quality[task][front.metric]
