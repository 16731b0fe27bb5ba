"""Other kinds of models and the other scenarios, from the command to the front."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from tests.pipeline import small

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(200)]


def test_a_factorization_machine_with_a_funnel_is_searched_to_a_front(tmp_path: Path, cache: Path) -> None:
    # no early stopping: three trials of a few thousand rows may all be hopeless
    limits = ["study.n_trials=3", "study.trial_pruner=none", "tracking.enabled=false"]
    items = [*small.OVERRIDES, "teacher=deepfm", "head=esmm", *limits]
    ended = small.run(tmp_path, cache, *items)
    assert ended.returncode == 0, ended.stderr
    front = small.front(tmp_path)
    assert front.state == "ended"
    assert front.trials.failed == 0
    assert front.teacher.words.startswith("DeepFM")
    assert front.points
    student = front.points[0].plan["student"]
    assert (student["kind"], student["head"]["kind"]) == ("deepfm", "esmm")


SCENARIOS = {
    "ecommerce": ["data.rows=12000", "teacher.shape.tower=[32,16]", "search_spaces.student.tower=[[32,16],[16]]"],
    "content": ["data.rows=12000", "teacher.shape.tower=[32,16]", "search_spaces.student.tower=[[32,16],[16]]"],
    "ranking": ["data.rows=12000", "teacher.shape.tower=[32,16]", "search_spaces.student.tower=[[32,16],[16]]"],
    "personalized": ["data.users=300", "data.items=300", "teacher.training.epochs=1"],
    "retrieval": ["data.users=300", "data.items=300", "teacher.training.epochs=1"],
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_goes_from_its_default_to_files_that_score_rows(name: str, tmp_path: Path, cache: Path) -> None:
    items = [f"search={name}", *SCENARIOS[name], "study.minutes=null", "study.rungs=[2000,4000]", "study.n_trials=2"]
    ended = small.run(tmp_path, cache, *items, "study.trial_pruner=none", "tracking.enabled=false")
    assert ended.returncode == 0, ended.stderr
    front = small.front(tmp_path)
    assert (front.state, front.trials.failed) == ("ended", 0)
    assert front.data.synthetic
    folder = small.study_folder(tmp_path)
    for file in (front.teacher, *front.points):
        assert front.metric in next(iter(file.quality.values()))
    scored = small.run(tmp_path, cache, "rows", *items, "split=test", "output=rows.parquet")
    assert scored.returncode == 0, scored.stderr
    bundle = folder / front.points[0].artefact
    scored = small.run(tmp_path, cache, "predict", f"artefact={bundle}", "input=rows.parquet", "output=scores.parquet")
    assert scored.returncode == 0, scored.stderr
    rows, scores = pl.read_parquet(tmp_path / "rows.parquet"), pl.read_parquet(tmp_path / "scores.parquet")
    label = {"interaction": "label"}
    for task, metrics in front.points[0].quality.items():
        recomputed = roc_auc_score(rows[label.get(task, task)], scores[task])
        assert metrics["auc"].test == pytest.approx(recomputed, abs=1e-4)
    measured = small.run(tmp_path, cache, "measure", f"artefact={bundle}")
    assert measured.returncode == 0, measured.stderr
