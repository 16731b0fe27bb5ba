"""Assistants, stages that differ, parts that are trained, calibrated files: from the command to the front."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.pipeline import small

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(200)]


def test_assistants_teach_students_that_are_pruned_in_steps_and_calibrated(tmp_path: Path, cache: Path) -> None:
    items = [
        *small.OVERRIDES,
        "study.n_trials=4",
        "study.trial_pruner=none",
        "study.calibration=isotonic",
        "tracking.enabled=false",
        "assistants=[{embedding_dim: 4, tower: [32, 16]}, {embedding_dim: 4, tower: [16]}]",
        "search_spaces=[student,rows,channels,quantize_tables,recovery,distillation,stages]",
        "+search_spaces.distillation.taught_by=[0,1,2]",
        "+search_spaces.distillation.feature_weight=0.1",
        "+search_spaces.recovery.trains=[[everything],[biases,steps,adapters]]",
        "search_spaces.stages.removal=rising",
        "search_spaces.stages.capacity=fixed",
        "search_spaces.stages.two_phases=true",
        "constraints.calibration_error=0.05",
    ]
    data = ["search=ads", "data.rows=20000"]
    made = small.run(tmp_path, cache, "rows", *data, "split=train", "output=rows.parquet")
    assert made.returncode == 0, made.stderr
    done = small.run(tmp_path, cache, *items, "data.unlabelled=rows.parquet")
    assert done.returncode == 0, done.stderr
    front = small.front(tmp_path)
    assert (front.state, front.trials.failed) == ("ended", 0)
    assert front.constraints == {"calibration_error": 0.05}
    point = front.points[0]
    first, last = point.plan["stages"]
    assert [each["kind"] for each in first["transforms"]][:1] == ["rows"]
    assert "quantize_tables" in {each["kind"] for each in last["transforms"]}
    assert first["recovery"]["objective"]["distillation_weight"] == 1.0
    assert point.plan["calibration"] == "isotonic"
    records = json.loads((small.study_folder(tmp_path) / point.artefact / "records.json").read_text())
    assert set(records[-1]["calibration"]) == {"factors", "shifts", "knots", "bends"}
    taught = {each.plan["stages"][0]["recovery"]["objective"]["taught_by"] for each in front.points}
    assert taught <= {0, 1, 2}


def test_students_grow_and_shrink_before_they_are_compressed_and_the_front_is_trained_again(
    tmp_path: Path, cache: Path
) -> None:
    items = [
        *small.OVERRIDES,
        "study.n_trials=6",
        "study.trial_pruner=none",
        "study.recipes=[]",
        "tracking.enabled=false",
        "search_spaces=[student,rows,quantize_tables,recovery,distillation,stages]",
        "search_spaces.stages.capacity=[growing,shrinking]",
        "search_spaces.distillation.distillation_weight=1.0",
        "+search_spaces.distillation.curriculum=[0.0,0.5]",
        "study.last_mile_seeds=1",
    ]
    done = small.run(tmp_path, cache, *items)
    assert done.returncode == 0, done.stderr
    front = small.front(tmp_path)
    assert (front.state, front.trials.failed) == ("ended", 0)
    assert front.trials.complete > 6
    assert "last mile: seed 1 of 1, file 1 of " in done.stdout
    assert any(stage["student"] for point in front.points for stage in point.plan["stages"])
    assert all(point.training_seconds and point.trained_parameters for point in front.points)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (["assistants=[{embedding_dim: 99}]"], "assistants.0: embedding_dim is larger than the teacher's"),
        (["assistants=[{towr: [8]}]"], "assistants.0"),
        (["+search_spaces.distillation.taught_by=[0,1]"], "taught_by=1: there are 0 assistants"),
        (["data.unlabelled=nowhere.parquet"], "data.unlabelled: nowhere.parquet does not exist"),
        (["+constraints.drop.clik=0.1"], "constraints.drop.clik: no task; allowed: click, conversion"),
        (["constraints.group_gap=0.1"], "constraints.group_gap: the data have no group column of few values"),
    ],
    ids=str,
)
def test_what_cannot_be_is_said_in_a_line(items: list[str], message: str, tmp_path: Path, cache: Path) -> None:
    done = small.run(tmp_path, cache, *small.OVERRIDES, "tracking.enabled=false", "study.n_trials=1", *items)
    assert done.returncode == 2, done.stdout
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
