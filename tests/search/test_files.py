"""Which measurements of an ended front still hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autocompress.artefact.bundle import Bundle
from autocompress.measure.machine import machine
from autocompress.report.contract import FrontFile, MeasuredFile
from autocompress.search.files import Known, measured_before
from autocompress.search.scene import Quick

EXAMPLE = Path(__file__).parents[2] / "docs" / "front.example.json"


def content() -> dict[str, Any]:
    """A front that was measured on this machine."""
    return {**FrontFile.model_validate_json(EXAMPLE.read_bytes()).model_dump(), "machine": machine()}


def teacher_of(front: FrontFile) -> Known:
    folder = Path(front.teacher.artefact)
    return Known("teacher", "", Bundle(folder, folder.name, {}), {}, Quick(1.0, 1.0))


def test_every_file_that_was_measured_in_full_is_reused_without_what_is_a_points_alone() -> None:
    front = FrontFile.model_validate(content())
    found = measured_before(front, teacher_of(front))
    assert len(found) == 1 + len(front.landmarks) + len(front.points)
    point = front.points[0]
    assert type(found[Path(point.artefact).name]) is MeasuredFile
    assert found[Path(point.artefact).name].latency_ms == point.latency_ms


def test_nothing_holds_on_another_machine() -> None:
    front = FrontFile.model_validate(content() | {"machine": machine() | {"cpu": "another"}})
    assert measured_before(front, teacher_of(front)) == {}


def test_nothing_holds_against_another_teacher() -> None:
    front = FrontFile.model_validate(content())
    other = front.model_copy(update={"teacher": front.teacher.model_copy(update={"artefact": "artefacts/other"})})
    assert measured_before(other, teacher_of(front)) == {}


def test_a_file_without_an_interval_of_every_metric_is_measured_again() -> None:
    changed = content()
    changed["points"][0]["quality"]["click"]["log_loss"]["test_drop_ci95"] = None
    front = FrontFile.model_validate(changed)
    assert Path(front.points[0].artefact).name not in measured_before(front, teacher_of(front))
    assert Path(front.points[1].artefact).name in measured_before(front, teacher_of(front))
