"""What a reader must hear before the numbers, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from autocompress.report.contract import MeasuredFile


def plain_warnings(
    teacher: MeasuredFile,
    landmarks: Sequence[MeasuredFile],
    unkept: str | None,
    metric: str,
    *,
    test_reused: bool,
) -> tuple[str, ...]:
    """Sentences about a teacher that is none, constraints that nothing keeps (`unkept`), and a test split opened
    before."""
    said = []
    for landmark in landmarks:
        if landmark.words.startswith("from scratch"):
            said += _against_teacher(teacher, landmark, metric)
    if unkept is not None:
        said.append(unkept)
    if test_reused:
        said.append(
            "The study went on, or its constraints changed, after its test split was opened: test values are no longer "
            "untouched."
        )
    return tuple(said)


def _against_teacher(teacher: MeasuredFile, landmark: MeasuredFile, metric: str) -> list[str]:
    said = []
    for task, metrics in landmark.quality.items():
        value = metrics[metric]
        if value.test_drop_ci95 is not None:
            low, high = value.test_drop_ci95
            verdict = "beats" if high < 0 else "is level with" if low <= 0 else None
        else:
            verdict = "beats" if value.valid >= teacher.quality[task][metric].valid else None
        if verdict:
            said.append(
                f"On {task}, a {landmark.model_bytes / 1000:,.0f} KB model trained from scratch ({landmark.name}) "
                f"{verdict} the teacher: a ratio against this teacher is no achievement there."
            )
    return said
